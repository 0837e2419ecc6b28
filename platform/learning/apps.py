"""The learning floor."""

from django.apps import AppConfig


class LearningConfig(AppConfig):
    """Runs, model versions, scores, rounds."""

    name = "learning"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from learning import receivers

        receivers.connect()
