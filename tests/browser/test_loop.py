"""An administrator closes the loop with the mouse: freeze, retrain, promote, and the worklist changes its order."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.support.platform import Platform, until

pytestmark = pytest.mark.timeout(900)


def waiting_train_exams(platform: Platform, project: str) -> list[str]:
    """The exams that a model may rank, in the order in which they wait."""
    body = platform.client("admin").get(f"/api/v1/worklist/?project={project}&page_size=100")
    entries = body["entries"]["results"] if isinstance(body["entries"], dict) else body["entries"]
    return [entry["exam"] for entry in entries if entry["tier"] == 1 and entry["state"] == "waiting"]


def test_freeze_retrain_promote_and_the_order_changes(
    page: Page, sign_in: Callable[[str], None], platform_running: Platform
) -> None:
    admin = platform_running.client("admin")
    project = admin.get("/api/v1/projects/")["results"][0]["id"]
    until(
        lambda: admin.get("/api/v1/jobs/?kind=demo.fill")["results"][0]["state"] == "done", 300, "the demo to be filled"
    )
    before = waiting_train_exams(platform_running, project)
    assert len(before) >= 2

    sign_in("admin")
    page.goto("/snapshots")
    page.get_by_role("button", name=re.compile(r"^Freeze v1…")).click()
    page.get_by_role("dialog").get_by_role("button", name="Freeze v1").click()
    page.wait_for_url(re.compile("/snapshots/v1"))
    until(
        lambda: admin.get(f"/api/v1/snapshots/?project={project}")["results"][0]["state"] == "frozen", 60, "the freeze"
    )

    page.goto("/runs")
    page.get_by_role("button", name=re.compile("^Retrain")).first.click()
    page.get_by_text("dcse_resnet50").first.click()
    page.get_by_role("button", name="Retrain", exact=True).last.click()
    page.wait_for_url(re.compile("/runs/[0-9a-f-]{36}"))
    run = page.url.split("/runs/")[1].split("?")[0]
    until(lambda: admin.get(f"/api/v1/runs/{run}/events/?after=0"), 120, "the first event of the run")
    done = until(lambda: _ended(admin.get(f"/api/v1/runs/{run}/")), 600, "the training")
    assert done["state"] == "done" and done["version"], done

    model = done["version"]["id"] if isinstance(done["version"], dict) else done["version"]
    page.goto(f"/models/{model}")
    expect(page.get_by_text("qwk").or_(page.get_by_text(re.compile("kappa", re.IGNORECASE))).first).to_be_visible()
    page.get_by_role("button", name=re.compile(r"^Promote…")).click()
    page.get_by_role("dialog").get_by_role("button", name=re.compile("^Promote model")).click()
    order = until(
        lambda: admin.get(f"/api/v1/rounds/?project={project}")["results"], 300, "the order that the model published"
    )
    assert order
    after = waiting_train_exams(platform_running, project)
    assert set(after) == set(before)
    page.goto("/worklist")
    expect(page.get_by_role("table").first).to_be_visible()
    scores = [entry for entry in _entries(platform_running, project) if entry["tier"] == 1]
    ranked = [entry["score"] for entry in scores if entry["score"] is not None]
    assert ranked == sorted(ranked, reverse=True) and len(ranked) == len(before)

    _the_heat_map_is_shown_in_the_room(page, platform_running, project, model)


def _the_heat_map_is_shown_in_the_room(page: Page, platform: Platform, project: str, model: str) -> None:
    """Of an exam that has been read, with its sentence; the administrator hides it again with a key."""
    admin = platform.client("admin")
    readings = admin.get(f"/api/v1/readings/?project={project}&page_size=100")["results"]
    reading = next(
        one
        for one in readings
        if one["state"] == "complete"
        and admin.get(f"/api/v1/explanations/?project={project}&exam={one['exam']}&model={model}")
    )
    page.goto(f"/read/{reading['id']}?model={model}")
    expect(page.get_by_text("Shows where the score came from, not where the disease is.")).to_be_visible()
    pane = page.locator("[data-testid^=pane-][data-state=shown]").first
    expect(pane.get_by_test_id("heat").locator("image").first).to_be_attached()
    expect(page.get_by_test_id("nearest").get_by_role("link").first).to_have_attribute("href", re.compile("^/read/"))
    page.keyboard.press("y")
    expect(page.get_by_test_id("heat")).to_have_count(0)


def _ended(run: dict) -> dict | None:
    return run if run["state"] in {"done", "failed", "cancelled"} else None


def _entries(platform: Platform, project: str) -> list[dict]:
    body = platform.client("admin").get(f"/api/v1/worklist/?project={project}&page_size=100")
    return body["entries"]["results"] if isinstance(body["entries"], dict) else body["entries"]
