"""A real Chromium in front of a real platform; a screenshot of what a failed test saw."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.support.platform import Platform

CHROMIUM_FLAGS = [
    "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-quic",
    "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip
#: A busy machine is no bug.
PATIENCE_MS = 30_000
SCREENSHOTS = Path(os.environ.get("SCREENSHOTS", "var/screenshots"))


@pytest.fixture(scope="session")
def platform_running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    platform = Platform(tmp_path_factory.mktemp("platform"))
    platform.start()
    yield platform
    if platform.process is not None:
        platform.stop()


@pytest.fixture(scope="session")
def chromium(require_tool: Callable[[str], str]) -> Iterator[Browser]:
    path = require_tool("chromium")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium: Browser, platform_running: Platform, request: pytest.FixtureRequest) -> Iterator[Page]:
    context = chromium.new_context(base_url=platform_running.url, viewport={"width": 1440, "height": 810})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield page
    if getattr(request.node, "failed", False):
        SCREENSHOTS.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=SCREENSHOTS / f"{request.node.name}.png")
        print("\n".join(complaints))
    context.close()


def shot(page: Page, name: str) -> None:
    """A picture for people to look at; taken where SHOTS names a folder."""
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[Any]:
    outcome = yield
    if outcome.get_result().when == "call" and outcome.get_result().failed:
        item.failed = True


@pytest.fixture
def sign_in(page: Page, platform_running: Platform) -> Callable[[str], None]:
    """`sign_in("reader1")` in `page`, by the form that a person sees."""

    def go(name: str) -> None:
        page.goto("/")
        page.get_by_label("User name").fill(name)
        page.get_by_label("Password").fill(platform_running.password(name))
        page.get_by_role("button", name="Sign in").click()
        page.locator("header").get_by_text(name).first.wait_for()

    return go
