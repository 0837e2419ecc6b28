"""What can go wrong between a reader and their reading; each code once, with its cure."""

from core.errors import Conflict, Forbidden, Invalid, Stale


class DocumentInvalid(Invalid):
    """A reading cannot say that."""

    code = "annotations.document_invalid"
    cure = "The detail names the place and the rule; /api/v1/lexicon/ has the schema and every term."


class GeometryInvalid(Invalid):
    """A mark has no shape that can be drawn."""

    code = "annotations.geometry_invalid"
    cure = "Draw the mark again; the detail names it and what is wrong."


class OutsideImage(Invalid):
    """A mark lies outside its image."""

    code = "annotations.outside_image"
    cure = "Use stored pixels of that image: origin at the outer corner of its top-left pixel, x right, y down."


class ImageNotInExam(Invalid):
    """A mark names an image that is not of this exam."""

    code = "annotations.image_not_in_exam"
    cure = "Use the id of one of the exam's images."


class WrongBreast(Invalid):
    """A finding of one breast is marked in an image of the other."""

    code = "annotations.wrong_breast"
    cure = "Make two findings, or correct the finding's side."


class PatchInvalid(Invalid):
    """The change is no JSON Patch that can be applied here."""

    code = "annotations.patch_invalid"
    cure = "Send add, remove, replace and test operations (RFC 6902) on places that exist."


class PatchTooLarge(Invalid):
    """The change is larger than one edit may be."""

    code = "annotations.patch_too_large"
    cure = "Send it as several edits."


class PatchTestFailed(Conflict):
    """The document does not say what the edit expected it to say."""

    code = "annotations.patch_test_failed"
    cure = "Load the reading again and make the edit on what it says now."


class RevisionStale(Stale):
    """The reading was changed in between, in another window or on another machine."""

    code = "annotations.revision_stale"
    cure = "Both versions are in the detail: choose one, or make your edit again on the newer."


class EditIdReused(Conflict):
    """This edit id was used for a different edit."""

    code = "annotations.edit_id_reused"
    cure = "Make a new id (a UUID) for each new edit."


class LeaseLost(Conflict):
    """The lease ended and somebody else took the exam; your work is kept."""

    code = "annotations.lease_lost"
    cure = "Go on with the next exam. What was saved stays in the reading; what was not stays in the browser."


class ReadingClosed(Conflict):
    """The reading is complete."""

    code = "annotations.reading_closed"
    cure = "Choose Amend to change it; the completed revision is kept."


class NotYourReading(Forbidden):
    """Only its reader can change a reading."""

    code = "annotations.not_your_reading"
    cure = "Read the exam yourself: your reading is one of your own."


class OrderRefused(Invalid):
    """A ranking names an exam that is not ranked in this project."""

    code = "annotations.order_refused"
    cure = "Rank each training exam of the project once; validation, test and audit exams are never ranked."


class ReadingEmpty(Invalid):
    """Nothing has been said about this exam yet."""

    code = "annotations.reading_empty"
    cure = "Answer the exam (N says normal, both breasts), or skip it with a reason."


class ReasonMissing(Invalid):
    """A reason is needed, in at most 500 characters."""

    code = "annotations.reason_missing"
    cure = "Say in a few words why, without anything that identifies the patient."
