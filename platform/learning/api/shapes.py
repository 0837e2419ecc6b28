"""What `ml` wrote and we answer as it is: events, metrics, curves, misses, predictions (`ml.runs`, `ml.evaluation`).

They only tell the schema what is in a JSON column; nothing is left out of an answer that is not named here.
"""

from typing import Any

from rest_framework import serializers

from annotations.api.documents import ShapeField
from core.answers import Numbers, counts, figures, numbers, texts

_OPTIONAL: dict[str, Any] = {"required": False, "allow_null": True}


class ResumedFrom(serializers.Serializer[Any]):
    """The checkpoint that an attempt went on from."""

    stage = serializers.CharField()
    step = serializers.IntegerField()


class RunEventOut(serializers.Serializer[Any]):
    """One line of a run's events.jsonl; which fields it has depends on `type`. Ignore what is unknown."""

    attempt = serializers.IntegerField()
    seq = serializers.IntegerField(help_text="from 1, grows by 1, goes on after a resume")
    type = serializers.CharField(
        help_text="started, stage_started, stage_finished, progress, metric, checkpoint, warning, resource, "
        "finished, cancelled, failed"
    )
    t = serializers.CharField(help_text="UTC")
    v = serializers.IntegerField(required=False)
    # started
    run_id = serializers.CharField(required=False)
    command = serializers.CharField(required=False)
    method = serializers.CharField(required=False)
    size = serializers.CharField(required=False)
    pid = serializers.IntegerField(required=False)
    resumed_from = ResumedFrom(**_OPTIONAL)
    device = serializers.CharField(required=False)
    precision = serializers.CharField(required=False)
    n = counts(required=False, help_text="images by split")
    code_version = serializers.CharField(required=False)
    # stages, progress, metric, checkpoint
    stage = serializers.CharField(**_OPTIONAL)
    index = serializers.IntegerField(required=False)
    of = serializers.IntegerField(required=False)
    planned_steps = serializers.IntegerField(required=False)
    artefacts = texts(required=False)
    step = serializers.IntegerField(**_OPTIONAL)
    epoch = serializers.FloatField(required=False)
    seconds = serializers.FloatField(required=False)
    images_per_s = serializers.FloatField(**_OPTIONAL)
    eta_s = serializers.FloatField(**_OPTIONAL)
    lr = serializers.FloatField(**_OPTIONAL)
    loss = serializers.FloatField(**_OPTIONAL)
    gpu_mem_mb = serializers.FloatField(**_OPTIONAL)
    waited_for_data = serializers.FloatField(**_OPTIONAL)
    split = serializers.CharField(required=False)
    values = figures(required=False)
    path = serializers.CharField(required=False)
    best = serializers.BooleanField(required=False)
    # warning, resource
    code = serializers.CharField(required=False)
    text = serializers.CharField(required=False)
    count = serializers.IntegerField(required=False)
    example = serializers.CharField(**_OPTIONAL)
    what = serializers.CharField(required=False, help_text="oom_halved, precision_fallback, worker_restart")
    batch = serializers.IntegerField(required=False)
    accumulate = serializers.IntegerField(required=False)
    # the end
    metrics_headline = figures(required=False)
    headline_split = serializers.CharField(**_OPTIONAL)
    model_sha256 = serializers.CharField(**_OPTIONAL)
    reason = serializers.CharField(required=False)
    exit_code = serializers.IntegerField(required=False)
    resumable = serializers.BooleanField(required=False)
    traceback = serializers.CharField(**_OPTIONAL)


class Metric(serializers.Serializer[Any]):
    """One row of metrics.json: `name` is unique in (target, level, split, subgroup); `metric` is shared by `series`."""

    name = serializers.CharField()
    metric = serializers.CharField()
    series = serializers.ChoiceField(choices=["model", "baseline", "difference"])
    baseline = serializers.CharField(allow_null=True, help_text="which baseline the last two are about")
    target = serializers.CharField()
    level = serializers.CharField()
    split = serializers.CharField()
    subgroup = serializers.DictField(child=serializers.CharField(), allow_null=True)
    value = serializers.FloatField(allow_null=True)
    reason = serializers.CharField(required=False, help_text="why there is no value")
    ci = Numbers(2, allow_null=True, help_text="95 %, low and high")
    ci_method = serializers.CharField(allow_null=True)
    n_patients = serializers.IntegerField()
    n_units = serializers.IntegerField()
    n_pos = serializers.IntegerField(allow_null=True)
    n_neg = serializers.IntegerField(allow_null=True)
    params = serializers.DictField()


class Curve(serializers.Serializer[Any]):
    split = serializers.CharField()
    target = serializers.CharField()
    level = serializers.CharField(required=False)
    fold = serializers.IntegerField(required=False, help_text="of a cross-validation")


class Roc(Curve):
    positive = serializers.CharField(required=False, help_text="the class that is meant, where there are several")
    series = serializers.CharField(required=False, help_text="model, or baseline:<name>")
    fpr = numbers()
    tpr = numbers()


class Froc(Curve):
    series = serializers.CharField(help_text="model, or baseline:<name>")
    criterion = serializers.CharField()
    fp_on = serializers.ChoiceField(choices=["normal", "complete"], help_text="the images that false positives are of")
    fp_per_image = numbers()
    sensitivity = numbers()
    threshold = serializers.ListField(child=serializers.FloatField(allow_null=True))


class Reliability(Curve):
    n = serializers.ListField(child=serializers.IntegerField())
    confidence = numbers()
    observed = numbers()


class Confusion(Curve):
    labels = texts()
    matrix = serializers.ListField(child=serializers.ListField(child=serializers.IntegerField()))


class Curves(serializers.Serializer[Any]):
    """The curves of a report, by kind; a kind that a task does not have is left out."""

    roc = Roc(many=True, required=False)
    froc = Froc(many=True, required=False)
    reliability = Reliability(many=True, required=False)
    confusion = Confusion(many=True, required=False)


class Candidate(serializers.Serializer[Any]):
    box = Numbers(4, help_text="x0, y0, x1, y1 in stored pixels")
    score = serializers.FloatField()
    target = serializers.CharField()


class Worst(serializers.Serializer[Any]):
    """One of the worst misses, with what is needed to show it."""

    split = serializers.CharField()
    target = serializers.CharField()
    kind = serializers.ChoiceField(choices=["wrong_class", "missed_finding", "false_alarm"])
    exam_id = serializers.UUIDField()
    image_id = serializers.UUIDField()
    what = serializers.CharField()
    thumbnail_url = serializers.CharField()
    reading = serializers.UUIDField(allow_null=True, help_text="the reading that says the truth")
    # a class
    truth = serializers.CharField(required=False)
    predicted = serializers.CharField(required=False)
    probabilities = numbers(required=False)
    # a finding
    finding_id = serializers.CharField(**_OPTIONAL)
    mark_id = serializers.CharField(required=False)
    mark = ShapeField(required=False)
    score = serializers.FloatField(**_OPTIONAL)
    candidates = Candidate(many=True, required=False)


class PredictionRow(serializers.Serializer[Any]):
    """One row of predictions.jsonl: a class with its probability, a box with its score, a number, a mask."""

    level = serializers.CharField(help_text="image, breast, exam, finding")
    kind = serializers.CharField(help_text="prob, box, scalar, mask")
    patient_id = serializers.CharField()
    exam_id = serializers.CharField()
    image_id = serializers.CharField(allow_null=True)
    laterality = serializers.CharField(allow_null=True)
    target = serializers.CharField()
    member = serializers.IntegerField(help_text="-1: all members together")
    split = serializers.CharField()
    model_version = serializers.CharField()
    class_index = serializers.IntegerField(required=False)
    label: Any = serializers.CharField(required=False)
    prob = serializers.FloatField(required=False)
    score = serializers.FloatField(required=False)
    x0 = serializers.FloatField(required=False)
    y0 = serializers.FloatField(required=False)
    x1 = serializers.FloatField(required=False)
    y1 = serializers.FloatField(required=False)
    finding_id = serializers.CharField(**_OPTIONAL)
    truth = serializers.CharField(**_OPTIONAL)
    roi = serializers.CharField(required=False, help_text="how the region was chosen")
    value = serializers.FloatField(required=False)
    mask_path = serializers.CharField(required=False)
    entropy = serializers.FloatField(**_OPTIONAL)
    mutual_information = serializers.FloatField(**_OPTIONAL)
    variance = serializers.FloatField(**_OPTIONAL)


class MethodTask(serializers.Serializer[Any]):
    """A task that a method serves, and how near it is to its paper."""

    task = serializers.CharField()
    fidelity = serializers.CharField()
    claim_note = serializers.CharField()
    targets = texts(help_text="what a run may name as the label of this task")
    refusal = serializers.CharField(allow_null=True, help_text="why it cannot learn this from the snapshot")


class MethodNeed(serializers.Serializer[Any]):
    """A label that a method cannot learn without."""

    label: Any = serializers.CharField()
    min_train = serializers.IntegerField()
    min_classes = serializers.IntegerField()
    min_per_class = serializers.IntegerField()
    views = texts()


class MethodInputs(serializers.Serializer[Any]):
    unit = serializers.CharField(help_text="image or exam")
    views = texts()
    missing = serializers.CharField(help_text="what is done where a view is missing")
