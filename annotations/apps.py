"""The annotations floor: on start it listens to the archive and to the removal of projects."""

from django.apps import AppConfig


class AnnotationsConfig(AppConfig):
    """Worklist, readings, findings."""

    name = "annotations"
    label = "annotations"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from annotations import exam_columns, receivers

        receivers.connect()
        exam_columns.connect()
