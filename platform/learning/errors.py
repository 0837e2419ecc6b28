"""What can go wrong when something is learned. Each exit code of `python -m ml` has one of these."""

from core.errors import Conflict, Forbidden, Invalid, Missing, Unavailable


class MethodUnknown(Missing):
    """There is no such method."""

    code = "learning.method_unknown"
    cure = "The page of methods lists what there is."


class RetrainRefused(Conflict):
    """This snapshot does not have what the method needs."""

    code = "learning.retrain_refused"
    cure = "Read exams of the kind that is missing, where readings can say it, freeze a new snapshot, and train again."


class ConfigRefused(Invalid):
    """The run's settings are not settings of this method."""

    code = "learning.config_refused"
    cure = "The page of methods lists the sizes and settings of each."


class InitRefused(Conflict):
    """Training cannot start from that version."""

    code = "learning.init_refused"
    cure = "Start from a version of the same method and size in this project, or from scratch."


class WeightsRefused(Invalid):
    """This file does not hold weights."""

    code = "learning.weights_refused"
    cure = "Bring a .safetensors, .pth or .pt file as its library wrote it."


class WeightsUsed(Conflict):
    """A run started from these weights."""

    code = "learning.weights_used"
    cure = "They stay, so that the run can be made again."


class WeightsMissing(Missing):
    """The file of these weights is not on this machine."""

    code = "learning.weights_missing"
    cure = "They are kept under WEIGHTS_DIR; mount it where the workers run, or bring the file again."


class RunInvalid(Conflict):
    """The learner refused the request."""

    code = "learning.run_invalid"
    cure = "Its words name the setting; train again with it changed."
    settled = True


class DataRefused(Conflict):
    """The learner refused the data."""

    code = "learning.data_refused"
    cure = "Its words name the rows or the missing label; correct the readings and freeze a new snapshot."
    settled = True


class OutOfMemory(Conflict):
    """The memory was not enough, not even for one image at a time."""

    code = "learning.out_of_memory"
    cure = "Train again with Save memory if it was off; else choose a smaller size, or a machine with more memory."


class Diverged(Conflict):
    """The training diverged: its loss stopped being a number."""

    code = "learning.diverged"
    cure = "Train again with a smaller learning rate or another seed."
    settled = True


class DeviceLost(Unavailable):
    """The device for the training is missing or was lost."""

    code = "learning.device_lost"
    cure = "It is tried again and goes on from its last checkpoint; if it stays, look at the GPU of the worker."


class TimeSpent(Conflict):
    """The run used up its time."""

    code = "learning.time_spent"
    cure = "Press retry: it goes on from its last checkpoint."


class ChildKilled(Unavailable):
    """The training was ended from outside, most often because the machine ran out of memory."""

    code = "learning.child_killed"
    cure = "It is tried again and goes on from its last checkpoint; if it stays, choose a smaller size."


class ChildStalled(Unavailable):
    """The training stood still: its process gave no sign of life for minutes and was ended."""

    code = "learning.child_stalled"
    cure = "It is tried again and goes on from its last checkpoint; if it stays, look at the worker's disk and memory."


class ChildFailed(Conflict):
    """The learner stopped with an error of its own."""

    code = "learning.child_failed"
    cure = "The run's folder has the log (logs/stdout.txt) and the last event; give both to the developers."


class ResultUnreadable(Conflict):
    """The learner said that it finished, but its result does not add up."""

    code = "learning.result_unreadable"
    cure = "Retry the run; if it stays, check the disk of the worker."


class GpuBusy(Unavailable):
    """Every GPU of this worker is taken."""

    code = "learning.gpu_busy"
    cure = "Nothing to do: it is tried again when one is free."


class ScoreRefused(Conflict):
    """A score is not a finite number."""

    code = "learning.score_refused"
    cure = "Promote another version; tell the developers which method and size did this."
    settled = True


class NoRunFolder(Missing):
    """The folder of this run is not on this machine."""

    code = "learning.no_run_folder"
    cure = "It is kept under RUNS_DIR of the worker; mount it where the web process runs."


class ReadsBlind(Forbidden):
    """Your own reading of this exam is not complete: what a model says of it stays hidden from you until then."""

    code = "learning.reads_blind"
    cure = "Complete or skip your reading of the exam first."


class NotComparable(Conflict):
    """Only two different versions of one project and one task can be compared."""

    code = "learning.not_comparable"
    cure = "Choose another version of the same task."
