"""What no project holds any more goes, with its files."""

from django.db import transaction
from django.db.models import Exists, OuterRef

from archive import store
from archive.models import Admission, Exam, Image, IngestItem, ItemState, Patient


@transaction.atomic
def remove_unheld_exams() -> int:
    """Remove exams that are in no project and on no open import, with images and files. How many exams."""
    held = Admission.objects.filter(exam=OuterRef("pk"))
    arriving = IngestItem.objects.filter(image__exam=OuterRef("pk"), state=ItemState.ACCEPTED)
    exams = list(Exam.objects.filter(~Exists(held), ~Exists(arriving)).values_list("pk", flat=True))
    objects = set(Image.objects.filter(exam__in=exams).values_list("sha256", flat=True))
    Exam.objects.filter(pk__in=exams).delete()
    Patient.objects.filter(exams=None).delete()
    still = set(Image.objects.filter(sha256__in=objects).values_list("sha256", flat=True))
    # After the commit: a rollback must find its files again. A crash here leaves files that nobody names, no more.
    transaction.on_commit(lambda: _remove_objects(objects - still))
    return len(exams)


def _remove_objects(objects: set[str]) -> None:
    for sha256 in objects:
        store.remove(sha256)
