"""Who there is, in which reading studies, with which role."""

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower

from core.clock import now
from core.ids import uuid7
from core.models import Made


class Role(models.TextChoices):
    """What a member may do in a project."""

    ADMIN = "admin"
    READER = "reader"
    ADJUDICATOR = "adjudicator"
    RESEARCHER = "researcher"


class Users(BaseUserManager["User"]):
    def create_user(self, username: str, password: str | None = None, **fields: object) -> "User":
        user = self.model(username=username, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(AbstractBaseUser):
    """An account. There is no self-registration: an administrator makes accounts."""

    id = models.UUIDField(primary_key=True, default=uuid7, editable=False)
    username = models.CharField(max_length=64, unique=True)
    is_site_admin = models.BooleanField(default=False, help_text="archives, users and all jobs")
    is_active = models.BooleanField(default=True)
    created_at = models.DateTimeField(default=now, editable=False)

    objects = Users()
    USERNAME_FIELD = "username"

    class Meta:
        constraints = [models.UniqueConstraint(Lower("username"), name="one_account_per_name")]
        ordering = ["username"]

    def __str__(self) -> str:
        return self.username


class ProjectKind(models.TextChoices):
    STUDY = "study"
    DEMO = "demo"


class Project(Made):
    """A reading study: members, exams, rules."""

    name = models.CharField(max_length=120)
    slug = models.SlugField(max_length=64, unique=True)
    kind = models.CharField(max_length=16, choices=ProjectKind.choices, default=ProjectKind.STUDY)
    seed = models.IntegerField(default=0, help_text="draws splits and breaks ties")
    readings_per_exam = models.PositiveSmallIntegerField(default=1)
    audit_share = models.FloatField(default=0.0)
    weights = models.JSONField(default=dict, blank=True, help_text="weight of each part of the exam score")
    settings = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(readings_per_exam__gte=1, readings_per_exam__lte=10),
                name="readings_per_exam_1_to_10",
            ),
            models.CheckConstraint(
                condition=models.Q(audit_share__gte=0, audit_share__lte=1), name="audit_share_is_a_share"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Membership(Made):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="one_role_per_member")]


class Scope(models.TextChoices):
    """What a token may do at most; its owner's roles limit it further."""

    READ = "read"
    WRITE = "write"


class Token(Made):
    """A bearer token: shown once, stored as a SHA-256, with a scope and an end."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=64, blank=True)
    sha256 = models.CharField(max_length=64, unique=True)
    scope = models.CharField(max_length=8, choices=Scope.choices, default=Scope.WRITE)
    ends_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    last_used_at = models.DateTimeField(null=True)
