"""What the derive job does: prepare each image, then open the exams that are whole."""

import logging
from typing import Any
from uuid import UUID

from archive import derive, queries, services
from archive.models import Admission, Image, Ingest
from core.clock import now
from core.errors import MammoError
from core.words import counted
from jobs.handlers import JobContext
from ml.pixels.errors import PixelError

log = logging.getLogger("mammoloop.archive")


def run(ctx: JobContext, ingest: Ingest) -> dict[str, Any]:
    """Prepare the images of an ingest's exams. Each image that is done stays done when the job is killed."""
    exams = list(queries.exams_of(ingest).values_list("pk", flat=True))
    images = list(Image.objects.filter(exam__in=exams, derived_at=None).order_by("exam_id", "id"))
    failed = 0
    for done, image in enumerate(images):
        ctx.check_cancelled()
        ctx.progress(done, len(images), "Preparing images")
        failed += not prepare(image)
    ctx.progress(len(images), len(images), "Preparing images")
    whole = whole_exams(exams)
    services.announce(ingest.project_id, _admitted(ingest, whole), changed=_changed(ingest, whole))
    unable = f" {counted(failed, 'image')} could not be prepared." if failed else ""
    ctx.conclude(f"Prepared {counted(len(images) - failed, 'image')} of {counted(len(exams), 'exam')}.{unable}")
    return {"images": len(images) - failed, "failed": failed, "exams": len(whole)}


def prepare(image: Image) -> bool:
    """Derive one image and note it; False where it cannot be, which leaves its exam out of the worklist."""
    try:
        derive.derive(image)
    except (MammoError, PixelError, AssertionError) as error:
        log.warning("image not derived", extra={"image": str(image.pk), "reason": type(error).__name__})
        return False
    Image.objects.filter(pk=image.pk).update(derived_at=now())
    return True


def whole_exams(exams: list[UUID]) -> list[UUID]:
    """The exams all of whose images are prepared."""
    missing = set(Image.objects.filter(exam__in=exams, derived_at=None).values_list("exam_id", flat=True))
    return [exam for exam in exams if exam not in missing]


def _changed(ingest: Ingest, exams: list[UUID]) -> list[UUID]:
    """Exams that could be shown before this ingest came and that it brought another image for."""
    images = Image.objects.filter(exam__in=exams)
    shown = images.filter(derived_at__lt=ingest.closed_at).values_list("exam_id", flat=True)
    fresh = images.filter(created_at__gte=ingest.created_at, derived_at__gte=ingest.closed_at)
    return sorted(set(shown) & set(fresh.values_list("exam_id", flat=True)))


def _admitted(ingest: Ingest, exams: list[UUID]) -> list[UUID]:
    rows = Admission.objects.filter(project=ingest.project_id, exam__in=exams)
    return list(rows.order_by("exam_id").values_list("exam_id", flat=True))
