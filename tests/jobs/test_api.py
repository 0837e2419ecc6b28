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
    assert api(member("reader1")).post(f"/api/v1/jobs/{job.pk}/cancel/").status_code == 403
    done = api(member("boss", Role.ADMIN)).post(f"/api/v1/jobs/{job.pk}/cancel/")
    assert done.status_code == 200 and done.json()["state"] == JobState.CANCELLED
    assert api(site_admin).post(f"/api/v1/jobs/{job.pk}/cancel/").json()["code"] == "jobs.ended"
