"""What can go wrong when labelled data come in or go out."""

from core.errors import Conflict, Invalid, Missing


class ConsensusNeeded(Conflict):
    """Some exams have more than one reading, and nobody has decided between them."""

    code = "exchange.consensus_needed"
    cure = "Let an adjudicator read the exams that the detail names, or discard the readings too many."


class NothingToFreeze(Conflict):
    """There is no complete reading that this policy would take."""

    code = "exchange.nothing_to_freeze"
    cure = "Complete at least one reading, or let the policy take the reference readings of imported data sets."


class SnapshotNotFrozen(Conflict):
    """The snapshot is still being made."""

    code = "exchange.snapshot_not_frozen"
    cure = "Wait until its job is done; if the job failed, retry it from the page of jobs."


class ExportNotReady(Conflict):
    """The file is still being made."""

    code = "exchange.export_not_ready"
    cure = "Wait until its job is done; if the job failed, retry it from the page of jobs."


class ExportLost(Missing):
    """The file of this export is gone from the disk."""

    code = "exchange.export_lost"
    cure = "Order the export again: a snapshot always gives the same bytes."


class SnapshotChanged(Conflict):
    """The items of the snapshot do not add up to its hash."""

    code = "exchange.snapshot_changed"
    cure = "Do not use it. Restore the database from a backup, or freeze a new snapshot; tell an administrator."


class NotThisDataset(Invalid):
    """The folder is not the data set that was named."""

    code = "exchange.not_this_dataset"
    cure = "Check the path: the folder must hold the data set's own index file beside its images."


class TruthUnreadable(Invalid):
    """The truth beside the phantoms cannot be read."""

    code = "exchange.truth_unreadable"
    cure = "Make the phantoms again with `python -m ml phantoms`; truth.json must be of mammoloop.phantoms/1.0."


class FilmUnreadable(Invalid):
    """This file of the data set is no grey picture."""

    code = "exchange.film_unreadable"
    cure = "Fetch the file again from where the data set came from."


class NotListed(Invalid):
    """This picture is not named by the data set's own index."""

    code = "exchange.not_listed"
    cure = "Add its row to the index, or import the picture as DICOM."
