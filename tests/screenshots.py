"""`make screenshots`: the README's pictures, taken from a real platform with the demo's phantoms."""

import re
import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.conftest import CHROMIUM_FLAGS
from tests.support.platform import ROOT, Client, Platform, until

IMAGES = ROOT / "docs" / "images"
SIZE = {"width": 1440, "height": 810}


def signed_in(browser: Browser, platform: Platform, name: str) -> Page:
    page = browser.new_context(base_url=platform.url, viewport=SIZE, color_scheme="dark").new_page()
    page.goto("/")
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill(platform.password(name))
    page.get_by_role("button", name="Sign in").click()
    page.locator("header").get_by_text(name).first.wait_for()
    return page


def take(page: Page, name: str) -> None:
    page.screenshot(path=IMAGES / f"{name}.jpg", type="jpeg", quality=86)


def the_room(page: Page, platform: Platform, project: str) -> None:
    """An exam with a mark on what the phantom really holds."""
    page.get_by_role("link", name=re.compile("Start reading")).click()
    pane = page.get_by_test_id("pane-L-MLO")
    pane.get_by_text(re.compile(r"W \d+ C \d+")).wait_for()
    box = pane.bounding_box()
    assert box is not None
    page.keyboard.press("e")
    x, y = box["x"] + box["width"] * 0.35, box["y"] + box["height"] * 0.5
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 50, y + 44, steps=6)
    page.mouse.up()
    page.keyboard.press("b")
    page.keyboard.press("Shift+B")
    page.get_by_test_id("save-state").and_(page.locator("[data-state=saved]")).wait_for()
    page.mouse.move(x - 40, y - 60)
    page.wait_for_timeout(500)
    take(page, "room")


def a_run(page: Page, admin: Client, project: str) -> None:
    """A training, half an hour of somebody's life in a minute."""
    snapshot = admin.post("/api/v1/snapshots/", {"project": project, "policy": {"references": True}, "note": "README"})
    found = f"/api/v1/snapshots/{snapshot['id']}/"
    until(lambda: admin.get(found)["state"] == "frozen", 60, "the freeze")
    body = {"snapshot": snapshot["id"], "method": "dcse_resnet50", "size": "tiny"}
    run = admin.post("/api/v1/runs/", body)
    page.goto(f"/runs/{run['id']}")
    until(lambda: admin.get(f"/api/v1/runs/{run['id']}/")["state"] != "queued", 60, "a worker")
    until(lambda: admin.get(f"/api/v1/runs/{run['id']}/")["state"] in {"done", "failed"}, 900, "the training")
    page.reload()
    page.wait_for_timeout(2500)
    take(page, "run")


def main() -> None:
    IMAGES.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium")
    assert chromium, "Chromium is not on this machine"
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        platform = Platform(Path(scratch) / "var")
        platform.start()
        browser = playwright.chromium.launch(executable_path=chromium, args=CHROMIUM_FLAGS)
        try:
            admin = platform.client("admin")
            project = admin.get("/api/v1/projects/")["results"][0]["id"]
            fill = "/api/v1/jobs/?kind=demo.fill"
            until(lambda: admin.get(fill)["results"][0]["state"] == "done", 300, "the demo to be filled")
            the_room(signed_in(browser, platform, "reader1"), platform, project)
            page = signed_in(browser, platform, "admin")
            a_run(page, admin, project)
            page.goto("/")
            page.wait_for_timeout(2500)
            take(page, "home")
        finally:
            browser.close()
            platform.stop()


if __name__ == "__main__":
    main()
