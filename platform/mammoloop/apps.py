from django.apps import AppConfig


class MammoloopConfig(AppConfig):
    name = "mammoloop"
    label = "mammoloop"

    def ready(self) -> None:
        # Whoever submits a job wakes a worker: every process needs the Celery application and the one that delivers.
        import mammoloop.celery  # noqa: F401
