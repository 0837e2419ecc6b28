"""Who sees and steers which job."""

from collections.abc import Callable
from typing import Any

import pytest

from accounts.models import Role
from jobs.models import Job, JobState

pytestmark = pytest.mark.django_db


def a_job(**fields: Any) -> Job:
    return Job.objects.create(kind="test", queue="io", title="Import 1", **fields)


@pytest.mark.trap(59)
def test_a_member_sees_the_jobs_of_the_project_and_a_stranger_none(
    api: Callable[..., Any], project: Any, member: Any, site_admin: Any
) -> None:
    job = a_job(project=project, created_by=site_admin)
    other = a_job(created_by=site_admin)
    reader = api(member("reader1"))
    assert [row["id"] for row in reader.get("/api/v1/jobs/").json()["results"]] == [str(job.pk)]
    assert reader.get(f"/api/v1/jobs/{other.pk}/").status_code == 404
    assert api().get(f"/api/v1/jobs/{job.pk}/").status_code == 401


def test_only_its_maker_and_administrators_cancel_a_job(
    api: Callable[..., Any], project: Any, member: Any, site_admin: Any
) -> None:
    job = a_job(project=project, created_by=site_admin)
    reader = api(member("reader1"))
    assert reader.get(f"/api/v1/jobs/{job.pk}/").json()["may_steer"] is False
    refused = reader.post(f"/api/v1/jobs/{job.pk}/cancel/")
    assert refused.status_code == 403 and refused.json()["code"] == "accounts.role_missing"
    assert api(site_admin).get(f"/api/v1/jobs/{job.pk}/").json()["may_steer"] is True
    done = api(member("boss", Role.ADMIN)).post(f"/api/v1/jobs/{job.pk}/cancel/")
    assert done.status_code == 200 and done.json()["state"] == JobState.CANCELLED
    assert api(site_admin).post(f"/api/v1/jobs/{job.pk}/cancel/").json()["code"] == "jobs.ended"


def test_the_stream_of_events_answers_what_a_browser_accepts(
    api: Callable[..., Any], member: Callable[..., Any]
) -> None:
    answer = api(member("reader1")).get("/api/v1/jobs/events/", HTTP_ACCEPT="text/event-stream")
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "text/event-stream"
    assert answer.headers["X-Accel-Buffering"] == "no"
    refused = api().get("/api/v1/jobs/events/", HTTP_ACCEPT="text/event-stream")
    assert refused.status_code == 401 and b"core.unauthenticated" in refused.content


@pytest.mark.parametrize(
    ("state", "code", "may"),
    [
        (JobState.FAILED, "jobs.unexpected", True),
        (JobState.FAILED, "of.an_older_version", True),
        (JobState.FAILED, "learning.data_refused", False),
        (JobState.CANCELLED, None, True),
        (JobState.DONE, None, False),
    ],
)
def test_a_job_tells_whether_doing_it_again_could_help(
    api: Callable[..., Any], site_admin: Any, state: JobState, code: str | None, may: bool
) -> None:
    error = {"code": code, "sentence": "So it ended.", "cure": "None.", "detail": {}} if code else None
    job = a_job(state=state, error=error, created_by=site_admin)
    assert api(site_admin).get(f"/api/v1/jobs/{job.pk}/").json()["may_retry"] is may
    assert (api(site_admin).post(f"/api/v1/jobs/{job.pk}/retry/").status_code == 200) is may
