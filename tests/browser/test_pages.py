"""Every page opens for who may see it, says nothing broken, and holds no serious fault of accessibility."""

import re
from collections.abc import Callable

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

PAGES = {
    "admin": (
        "/", "/worklist", "/exams", "/import", "/archives", "/snapshots", "/runs", "/models", "/rounds", "/jobs",
        "/people", "/settings", "/audit",
    ),
    "reader1": ("/", "/worklist", "/exams"),
    "researcher": ("/", "/exams", "/snapshots"),
}  # fmt: skip


@pytest.mark.parametrize("person", PAGES)
def test_every_page_opens_and_can_be_used_by_everybody(page: Page, sign_in: Callable[[str], None], person: str) -> None:
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    sign_in(person)
    for path in PAGES[person]:
        page.goto(path)
        expect(page.locator("main").first).to_be_visible()
        page.wait_for_load_state("load")
        expect(page.get_by_text("stopped working")).to_have_count(0)
        expect(page.get_by_text("There is no such page")).to_have_count(0)
        found = Axe().run(page)
        serious = [f"{path}: {v['id']}" for v in found.response["violations"] if v["impact"] in {"serious", "critical"}]
        wrong += serious
    assert wrong == []


def test_an_address_that_leads_nowhere_says_so(page: Page, sign_in: Callable[[str], None]) -> None:
    sign_in("reader1")
    page.goto("/no-such-page")
    expect(page.get_by_text("There is no such page")).to_be_visible()
    page.get_by_role("link", name=re.compile("first page")).click()
    expect(page.get_by_role("link", name=re.compile("Start reading"))).to_be_visible()


def test_a_wrong_password_is_said_in_words_and_the_name_is_kept(page: Page, platform_running: object) -> None:
    page.goto("/")
    page.get_by_label("User name").fill("reader1")
    page.get_by_label("Password").fill("not-the-password")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("Name and password do not fit")).to_be_visible()
    expect(page.get_by_label("User name")).to_have_value("reader1")


def test_marks_lie_over_a_picture_that_is_mirrored(page: Page, sign_in: Callable[[str], None]) -> None:
    """A mirrored picture is a layer of its own, and would be painted over whatever follows it."""
    sign_in("admin")
    page.goto("/models/00000000-0000-7000-8000-000000000000")  # of no model: the styles of a report are there
    expect(page.get_by_role("alert").first).to_be_visible()
    uppermost = page.evaluate(
        """() => {
          const pixel = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";
          document.querySelector("main").innerHTML =
            `<span class="worst-picture"><img class="mirror-x" src="${pixel}" width="200" alt="">` +
            '<svg class="worst-marks" viewBox="0 0 9 9"><rect class="marked" width="9" height="9"/></svg></span>';
          const { x, y, width, height } = document.querySelector(".worst-picture").getBoundingClientRect();
          return document.elementsFromPoint(x + width / 2, y + height / 2)[0].closest("svg, img").tagName;
        }"""
    )
    assert uppermost == "svg"
