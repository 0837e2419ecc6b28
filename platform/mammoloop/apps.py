from django.apps import AppConfig


class MammoloopConfig(AppConfig):
    name = "mammoloop"
    label = "mammoloop"

    def ready(self) -> None:
        from jobs import celery_tasks, services
        from mammoloop.celery import app

        # Whoever submits a job wakes a worker, the web process above all. Tasks are of the default application.
        app.set_default()
        services.deliver = celery_tasks.deliver
