"""Every read of exams, images and imports that is more than a lookup; who may see them."""

from collections import Counter
from pathlib import Path
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, QuerySet

from accounts.models import Membership, Project, Role, User
from accounts.queries import projects_of, require_role
from archive import incoming, store
from archive.errors import ObjectMissing
from archive.header import PROCESSING
from archive.models import Admission, Exam, Image, Ingest, IngestItem, ItemState
from core.errors import Missing

#: Who may look at imports: what was rejected says something of the images, so readers do not.
INGEST_ROLES = (Role.ADMIN, Role.RESEARCHER)


# --- exams and images -------------------------------------------------------------------------------------------
def exams_visible_to(user: User) -> QuerySet[Exam]:
    """Exams that a project of the account holds."""
    if user.is_site_admin:
        return Exam.objects.all()
    mine = Membership.objects.filter(user=user).values("project_id")
    return Exam.objects.filter(Exists(Admission.objects.filter(exam=OuterRef("pk"), project__in=mine)))


def images_visible_to(user: User) -> QuerySet[Image]:
    """Images of the exams that an account may see."""
    return Image.objects.filter(exam__in=exams_visible_to(user)).select_related("exam")


def visible_exams(user: User, project: Project | UUID | str | None) -> QuerySet[Admission]:
    """The admissions of a project, or of all that the account is a member of, with exam and patient.

    Raises Missing for a stranger to the project that is named.
    """
    rows = Admission.objects.select_related("exam__patient", "patient")
    if project is None:
        return rows.filter(project__in=projects_of(user))
    require_role(user, project)
    return rows.filter(project_id=project.pk if isinstance(project, Project) else UUID(str(project)))


def admission_of(user: User, exam_id: UUID | str, project: str | None) -> Admission:
    """An exam in a project of the account: the one named, else the first that holds it. Raises Missing."""
    rows = Admission.objects.select_related("exam__patient", "project").filter(exam_id=exam_id)
    rows = rows.filter(exam__in=exams_visible_to(user))
    if project is not None:
        require_role(user, project)
        rows = rows.filter(project_id=project)
    elif not user.is_site_admin:
        rows = rows.filter(project__in=Membership.objects.filter(user=user).values("project_id"))
    found = rows.order_by("id").first()
    if found is None:
        raise Missing()
    return found


def hung_images(exam: Exam) -> list[Image]:
    """The images that are shown and learned from, in order of their ids.

    A For Processing image is left out where the same breast and view has another: the two are never mixed.
    """
    images = sorted(exam.images.all(), key=lambda image: image.pk)  # not order_by: a prefetch stays one
    shown = {(image.laterality, image.view) for image in images if image.presentation != PROCESSING}
    return [
        image for image in images if image.presentation != PROCESSING or (image.laterality, image.view) not in shown
    ]


def object_path(image: Image) -> Path:
    """The stored DICOM file of an image. Raises ObjectMissing."""
    path = store.object_file(image.sha256)
    if not path.is_file():
        raise ObjectMissing(image=str(image.pk))
    return path


# --- imports ----------------------------------------------------------------------------------------------------
def ingests_visible_to(user: User) -> QuerySet[Ingest]:
    """Imports of the projects that an account runs or studies."""
    rows = Ingest.objects.select_related("job", "created_by")
    if user.is_site_admin:
        return rows
    mine = Membership.objects.filter(user=user, role__in=INGEST_ROLES).values("project_id")
    return rows.filter(project__in=mine)


def counts_of(ingest: Ingest) -> dict[str, int]:
    """How many items are where; archives that were unpacked and tables of labels are counted apart."""
    rows = ingest.items.values_list("state").annotate(Count("id"))
    found = Counter(dict(rows))
    return {state.value: found[state.value] for state in ItemState}


def reasons_of(ingest: Ingest) -> dict[str, int]:
    """How many items were rejected for which code."""
    rows = ingest.items.filter(state=ItemState.REJECTED).values_list("code").annotate(Count("id")).order_by("code")
    return dict(rows)


def waiting_items(ingest: Ingest) -> QuerySet[IngestItem]:
    return ingest.items.filter(state=ItemState.WAITING).order_by("n")


def items_by_name(ingest: Ingest) -> dict[str, IngestItem]:
    """Items by the relative path under which a data set's importer sees them; of two with one name the first."""
    found: dict[str, IngestItem] = {}
    for item in ingest.items.exclude(state=ItemState.UNPACKED).order_by("n"):
        found.setdefault(incoming.name_of(ingest.pk, item.n), item)
    return found


def exams_of(ingest: Ingest) -> QuerySet[Exam]:
    """The exams that the accepted and duplicate items of an import belong to."""
    images = ingest.items.filter(image__isnull=False).values("image__exam_id")
    return Exam.objects.select_related("patient").filter(pk__in=images)
