"""The Celery application. It has one task, `jobs.run_job`; what work there is stands in the table of jobs."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mammoloop.settings")

from celery import Celery
from celery.signals import setup_logging
from django.conf import settings

app = Celery("mammoloop")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["jobs"], related_name="celery_tasks")
app.conf.beat_schedule_filename = str(settings.VAR_DIR / "beat-schedule")
app.conf.beat_schedule = {
    "sweep jobs": {"task": "jobs.beat", "schedule": 15.0, "args": ["jobs.sweep"], "options": {"expires": 15}},
    "seal the audit trail": {"task": "jobs.beat", "schedule": 60.0, "args": ["core.seal"], "options": {"expires": 60}},
    "free leases": {
        "task": "jobs.beat",
        "schedule": 60.0,
        "args": ["annotations.free_leases"],
        "options": {"expires": 60},
    },
    "forget old answers": {
        "task": "jobs.beat",
        "schedule": 3600.0,
        "args": ["core.forget_answers"],
        "options": {"expires": 3600},
    },
}


@setup_logging.connect
def _keep_our_logging(**kwargs: object) -> None:
    """Django has configured logging already; with a receiver here Celery leaves it alone."""
