"""What is learned from snapshots, and what that says of exams."""

from typing import Any

from django.db import models

from accounts.models import Project
from archive.models import Image
from core.clock import now
from core.ids import uuid7
from core.models import Made
from exchange.models import Snapshot
from jobs.models import Job, JobState
from ml.evaluation.leading import leading_split


class WeightsFile(Made):
    """Weights that somebody brought, of a network trained elsewhere. Never changed."""

    class Layout(models.TextChoices):
        """Whose names the tensors have."""

        AUTO = "auto"
        TORCHVISION = "torchvision"
        TIMM = "timm"
        OWN = "own"

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="weights_files")
    name = models.CharField(max_length=200)
    suffix = models.CharField(max_length=16)
    sha256 = models.CharField(max_length=64)
    bytes = models.BigIntegerField()
    layout = models.CharField(max_length=16, choices=Layout.choices, default=Layout.AUTO)
    licence = models.CharField(max_length=2000)
    origin = models.CharField(max_length=500)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["project", "sha256"], name="one_row_per_weights")]

    def __str__(self) -> str:
        return self.name


class Run(Made):
    """One training. Its states and moves are those of its job: a run has no lease or retry of its own."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="runs")
    number = models.PositiveIntegerField()
    snapshot = models.ForeignKey(Snapshot, on_delete=models.RESTRICT, related_name="runs")
    job = models.OneToOneField(Job, null=True, on_delete=models.RESTRICT, related_name="run")
    method = models.CharField(max_length=64)
    size = models.CharField(max_length=16)
    task = models.CharField(max_length=32)
    target = models.CharField(max_length=16, default="", help_text="what the label is, where the run named it")
    findings = models.JSONField(default=list)
    seed = models.BigIntegerField(default=0)
    config = models.JSONField(default=dict, help_text="what this run overrides of the method's own settings")
    init = models.ForeignKey("ModelVersion", null=True, on_delete=models.SET_NULL, related_name="descendants")
    weights = models.ForeignKey(WeightsFile, null=True, on_delete=models.RESTRICT, related_name="runs")
    compute = models.JSONField(default=dict, help_text="how the machine is used, where it was said")
    request = models.JSONField(default=dict, help_text="request.json as it was written")
    exit_code = models.IntegerField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="one_run_per_number")]

    def __str__(self) -> str:
        return f"Run {self.number}"

    @property
    def state(self) -> str:
        """The state of its job."""
        return self.job.state if self.job else JobState.QUEUED.value


class RunEvent(models.Model):
    """What a training said, as it was said. The same event twice is one row."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="events")
    attempt = models.PositiveIntegerField()
    seq = models.PositiveIntegerField()
    type = models.CharField(max_length=32)
    body = models.JSONField()

    class Meta:
        ordering = ["run_id", "seq"]
        constraints = [models.UniqueConstraint(fields=["run", "attempt", "seq"], name="one_row_per_event")]


class ModelVersion(Made):
    """What a run made. It belongs to the snapshot hash, the code version and the seed that made it."""

    class State(models.TextChoices):
        CANDIDATE = "candidate"
        PROMOTED = "promoted"
        RETIRED = "retired"

    #: retired -> promoted is a roll back
    MOVES = {
        State.CANDIDATE: frozenset({State.PROMOTED, State.RETIRED}),
        State.PROMOTED: frozenset({State.RETIRED}),
        State.RETIRED: frozenset({State.PROMOTED}),
    }

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="model_versions")
    number = models.PositiveIntegerField()
    run = models.OneToOneField(Run, on_delete=models.RESTRICT, related_name="version")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.RESTRICT, related_name="model_versions")
    snapshot_sha256 = models.CharField(max_length=64)
    task = models.CharField(max_length=32)
    method = models.CharField(max_length=64)
    size = models.CharField(max_length=16)
    seed = models.BigIntegerField()
    code_version = models.CharField(max_length=64, blank=True)
    model_sha256 = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State.choices, default=State.CANDIDATE)
    promoted_at = models.DateTimeField(null=True)
    scoring_job_id = models.UUIDField(null=True, help_text="the job that scores with it, until its scores are stored")
    headline = models.JSONField(default=dict)
    metrics = models.JSONField(default=list)
    curves = models.JSONField(default=dict)
    worst = models.JSONField(default=list)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="one_model_version_per_number"),
            models.UniqueConstraint(
                fields=["project", "task"], condition=models.Q(state="promoted"), name="one_promoted_per_task"
            ),
        ]

    def __str__(self) -> str:
        return f"Model {self.number}"

    @property
    def headline_split(self) -> str | None:
        """Whose figures the headline has: `val` where no patient was there to test on."""
        return leading_split(row["split"] for row in self.metrics)

    @property
    def headline_patients(self) -> int | None:
        """How many patients the headline's figures are of, at most; None where there are none."""
        return max((row["n_patients"] for row in self._leading()), default=None)

    @property
    def headline_reason(self) -> str | None:
        """Why no figure of the headline has a value; None where one has, or where none was asked for."""
        if any(value is not None for value in self.headline.values()):
            return None
        return next((row["reason"] for row in self._leading() if row.get("reason")), None)

    def _leading(self) -> list[dict[str, Any]]:
        """The model's own figures of the patients whom the headline is of."""
        of = (self.headline_split, "model")
        return [row for row in self.metrics if (row["split"], row["series"]) == of and not row["subgroup"]]


class Promotion(Made):
    """A change of which version ranks: which, to what, by whom. Never changed."""

    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="promotions")
    was = models.CharField(max_length=16, choices=ModelVersion.State.choices)
    became = models.CharField(max_length=16, choices=ModelVersion.State.choices)

    class Meta:
        ordering = ["id"]


class Prediction(models.Model):
    """What a version predicts of an image or an exam: the rows as `ml` wrote them, geometry in stored pixels."""

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="predictions")
    exam_id = models.UUIDField()
    unit = models.CharField(max_length=64, help_text="the image's id, or the exam's for what is said of the whole exam")
    split = models.CharField(max_length=8)
    rows = models.JSONField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["version", "exam_id"])]
        constraints = [models.UniqueConstraint(fields=["version", "unit"], name="one_prediction_per_unit")]


class Score(models.Model):
    """How unsure a version is of an exam in one part (`density`, or a finding). Written once; the raw value is kept."""

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="scores")
    exam_id = models.UUIDField()
    part = models.CharField(max_length=32)
    value = models.FloatField(null=True, help_text="null: the version gave no usable number")
    kind = models.CharField(max_length=32, help_text="mutual_information, or entropy where there is no dropout")
    images = models.JSONField(default=dict, help_text="the value of each image that it was made of")
    at = models.DateTimeField(default=now)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["version", "exam_id", "part"], name="one_score_per_part"),
            # NaN is refused before it comes here (rules.finite_score): SQLite would store it as NULL, "not scored".
            models.CheckConstraint(
                condition=models.Q(value__gte=0) & models.Q(value__lt=1e6), name="a_score_is_finite"
            ),
        ]


class Round(Made):
    """One turn of the loop: what was ranked by which versions, with the whole input, so that it can be drawn again."""

    class State(models.TextChoices):
        DRAWN = "drawn"
        READING = "reading"
        CLOSED = "closed"

    MOVES = {
        State.DRAWN: frozenset({State.READING, State.CLOSED}),
        State.READING: frozenset({State.CLOSED}),
        State.CLOSED: frozenset(),
    }

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="rounds")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.DRAWN)
    strategy = models.CharField(max_length=32)
    input = models.JSONField(
        help_text="seed, weights, versions, parts by exam: the ranking is a function of this alone"
    )
    input_sha256 = models.CharField(max_length=64)
    batch_sha256 = models.CharField(max_length=64)
    order_id = models.UUIDField(null=True)
    job_id = models.UUIDField(null=True)
    published_at = models.DateTimeField(null=True)
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["project", "number"], name="one_round_per_number"),
            models.UniqueConstraint(fields=["job_id"], name="one_round_per_job"),
        ]


class RoundItem(models.Model):
    """An exam that a round asks for: its place, its score, and why."""

    id = models.BigAutoField(primary_key=True)
    round = models.ForeignKey(Round, on_delete=models.CASCADE, related_name="items")
    position = models.PositiveIntegerField(help_text="from 1")
    exam_id = models.UUIDField()
    score = models.FloatField(null=True)
    reason = models.JSONField(default=dict)

    class Meta:
        ordering = ["round_id", "position"]
        constraints = [
            models.UniqueConstraint(fields=["round", "position"], name="one_exam_per_place"),
            models.UniqueConstraint(fields=["round", "exam_id"], name="one_place_per_exam"),
        ]


class Explanation(models.Model):
    """Where a version's score of a unit came from in one image: a grey picture beside what is derived of the image."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="explanations")
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="explanations")
    exam_id = models.UUIDField()
    unit = models.CharField(max_length=128, help_text="what was scored: an image, a breast, an exam, a region")
    split = models.CharField(max_length=8)
    kind = models.CharField(max_length=16, help_text="own, grad_cam, occlusion")
    target = models.CharField(max_length=32)
    label = models.CharField(max_length=32, help_text="the class that the score is of")
    score = models.FloatField(null=True)
    rows = models.PositiveIntegerField()
    cols = models.PositiveIntegerField()
    affine = models.JSONField(help_text="3 x 3, from stored pixels to those of the picture")
    maximum = models.FloatField()
    empty = models.BooleanField(help_text="nothing in this image spoke for the score: the picture is all zero")
    box = models.JSONField(null=True, help_text="the region's square in stored pixels")
    finding_id = models.CharField(max_length=64, null=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["exam_id"])]
        constraints = [models.UniqueConstraint(fields=["version", "image", "unit"], name="one_map_per_image_and_unit")]


class ExamEmbedding(models.Model):
    """Where a version puts an exam among the others: a vector of length 1, float32, little-endian."""

    id = models.BigAutoField(primary_key=True)
    version = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="embeddings")
    exam_id = models.UUIDField()
    split = models.CharField(max_length=8)
    vector = models.BinaryField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["version", "exam_id"], name="one_embedding_per_exam")]


class Comparison(Made):
    """Two versions on the same patients. `document` is what came of it, null until its job is done."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="comparisons")
    first = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="compared_first")
    second = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="compared_second")
    job_id = models.UUIDField(null=True)
    document = models.JSONField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["first", "second"], name="one_comparison_per_pair")]
