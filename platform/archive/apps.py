"""The archive floor: exams as received."""

from django.apps import AppConfig


class ArchiveConfig(AppConfig):
    """Ingest, de-identification, catalogue, pixel store, DICOMweb, PACS."""

    name = "archive"
    label = "archive"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from archive import receivers

        receivers.connect()
