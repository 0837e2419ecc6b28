"""A reader at work, in a real browser: what was drawn is what is stored, and nothing is lost."""

import itertools
import math
import os
import re
import signal
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.support.platform import Client, Platform

#: tool key → kind, and how far a stroke goes from its first to its last point, in screen pixels.
STROKES = {"r": "box", "e": "ellipse", "o": "circle", "p": "polygon"}

RESIZE_LOOKS, RESIZE_LOOK_MS = 50, 200


@pytest.fixture
def reading(page: Page, sign_in: Callable[[str], None]) -> str:
    """Reader1 in the room with the next exam painted; the reading's id."""
    sign_in("reader1")
    page.get_by_role("link", name=re.compile("Start reading")).click()
    page.wait_for_url(re.compile(r"/read/[0-9a-f-]{36}"))
    painted(page)
    return page.url.split("/read/")[1].split("?")[0]


def painted(page: Page) -> None:
    """The pixels are there: the pane says at which window it shows them."""
    expect(page.get_by_test_id("pane-R-CC").get_by_text(re.compile(r"W \d+ C \d+"))).to_be_visible()


def saved(page: Page) -> int:
    """Wait until the server has everything; the revision that the page shows."""
    label = page.get_by_test_id("save-state")
    expect(label).to_have_attribute("data-state", "saved", timeout=15_000)
    return int(label.get_attribute("data-revision") or -1)


def pointer_at(page: Page, x: float, y: float) -> tuple[float, float]:
    """Move the mouse; the image pixel that the pane names under it."""
    page.mouse.move(x, y)
    shown = page.get_by_test_id("pointer-R-CC").inner_text()
    found = re.match(r"x (-?[\d.]+) y (-?[\d.]+)", shown)
    assert found, shown
    return float(found.group(1)), float(found.group(2))


def middle_of_the_mark(page: Page) -> tuple[float, float]:
    """The image pixel that the pane names in the middle of the selected mark."""
    box = page.locator(".mark-selected .mark-line").bounding_box()
    assert box is not None
    return pointer_at(page, box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)


def stroke(page: Page, key: str, start: tuple[float, float]) -> list[tuple[float, float]]:
    """Draw with one tool; the image pixels where the mouse went down, turned, and came up."""
    page.keyboard.press("Escape")
    page.keyboard.press(key)
    x, y = start
    corners = [(x, y), (x + 60, y), (x + 60, y + 40)]
    places = [pointer_at(page, *corners[0])]
    page.mouse.down()
    for corner in corners[1:]:
        page.mouse.move(*corner, steps=5)
        places.append(pointer_at(page, *corner))
    page.mouse.up()
    return places


def off_path(point: list[float], path: list[tuple[float, float]]) -> float:
    """How far a point is from a path of straight strokes, in image pixels."""
    best = math.inf
    for (x0, y0), (x1, y1) in itertools.pairwise(path):
        dx, dy = x1 - x0, y1 - y0
        along = min(1.0, max(0.0, ((point[0] - x0) * dx + (point[1] - y0) * dy) / (dx * dx + dy * dy)))
        best = min(best, math.hypot(point[0] - x0 - along * dx, point[1] - y0 - along * dy))
    return best


def document_of(client: Client, reading: str) -> dict[str, Any]:
    body = client.get(f"/api/v1/readings/{reading}/")
    return body["document"]


def test_one_mark_of_each_tool_is_stored_where_it_was_drawn_and_found_again(
    page: Page, reading: str, platform_running: Platform
) -> None:
    pane = page.get_by_test_id("pane-R-CC").bounding_box()
    assert pane is not None
    left, top = pane["x"] + pane["width"] * 0.45, pane["y"] + pane["height"] * 0.3
    drawn = {kind: stroke(page, key, (left, top + 60 * n)) for n, (key, kind) in enumerate(STROKES.items())}
    page.keyboard.press("c")
    page.keyboard.press("Shift+B")
    revision = saved(page)

    client = platform_running.client("reader1")
    document = document_of(client, reading)
    every = [mark for finding in document["findings"].values() for mark in finding["marks"].values()]
    marks = {mark["kind"]: mark["geometry"] for mark in every}
    assert set(marks) == set(STROKES.values()) and revision >= 6
    (x0, y0), _, (x1, y1) = drawn["box"]
    assert marks["box"] == pytest.approx([min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1)], abs=0.5)
    (x0, y0), _, (x1, y1) = drawn["ellipse"]
    ellipse = [(x0 + x1) / 2, (y0 + y1) / 2, abs(x1 - x0) / 2, abs(y1 - y0) / 2]
    assert marks["ellipse"][:4] == pytest.approx(ellipse, abs=0.5)
    ring = marks["polygon"][0]
    assert ring[0] == pytest.approx(drawn["polygon"][0], abs=0.5)
    assert all(off_path(corner, drawn["polygon"]) < 0.75 for corner in ring)  # every corner is where the pointer was
    assert document["breasts"]["R"]["density"] == "c" and document["breasts"]["L"]["density"] == "b"

    page.reload()
    painted(page)
    expect(page.get_by_test_id("mark")).to_have_count(len(STROKES))
    assert document_of(client, reading) == document  # to the last bit: nothing was sent by looking

    page.keyboard.press("Enter")
    page.wait_for_url(lambda url: reading not in url)
    assert client.get(f"/api/v1/readings/{reading}/")["state"] == "complete"
    assert document_of(client, reading) == document


@pytest.mark.trap(20)
def test_what_was_drawn_while_the_server_was_gone_is_saved_when_it_is_back(
    page: Page, reading: str, platform_running: Platform
) -> None:
    pane = page.get_by_test_id("pane-R-CC").bounding_box()
    assert pane is not None
    client = platform_running.client("reader1")
    before = kinds(document_of(client, reading))
    stroke(page, "r", (pane["x"] + pane["width"] * 0.4, pane["y"] + pane["height"] * 0.4))
    saved(page)
    os.kill(platform_running.pid_of("web"), signal.SIGKILL)
    stroke(page, "e", (pane["x"] + pane["width"] * 0.4, pane["y"] + pane["height"] * 0.55))
    label = page.get_by_test_id("save-state")
    expect(label).to_have_attribute("data-state", "saved", timeout=60_000)
    assert kinds(document_of(client, reading)) == sorted([*before, "box", "ellipse"])


def kinds(document: dict[str, Any]) -> list[str]:
    return sorted(mark["kind"] for finding in document["findings"].values() for mark in finding["marks"].values())


def test_undo_takes_back_what_was_done_last_and_redo_does_it_again(
    page: Page, reading: str, platform_running: Platform
) -> None:
    client = platform_running.client("reader1")
    page.keyboard.press("d")
    saved(page)
    page.keyboard.press("Control+z")
    saved(page)
    assert document_of(client, reading)["breasts"]["R"]["density"] != "d"
    page.keyboard.press("Control+Shift+z")
    saved(page)
    assert document_of(client, reading)["breasts"]["R"]["density"] == "d"


@pytest.mark.trap(9)
def test_a_mark_stays_on_its_pixels_when_the_window_changes_its_shape(page: Page, reading: str) -> None:
    pane = page.get_by_test_id("pane-R-CC").bounding_box()
    assert pane is not None
    x, y = pane["x"] + pane["width"] * 0.5, pane["y"] + pane["height"] * 0.5
    places = stroke(page, "r", (x, y))
    saved(page)
    page.set_viewport_size({"width": 1100, "height": 900})
    (x0, y0), (x1, y1) = places[0], places[-1]
    # One pixel of the screen is 4 of the image.
    drawn = pytest.approx(((x0 + x1) / 2, (y0 + y1) / 2), abs=6)
    for _ in range(RESIZE_LOOKS):  # the pane and what lies over it are laid out anew after the window is
        page.wait_for_timeout(RESIZE_LOOK_MS)
        if (middle := middle_of_the_mark(page)) == drawn:
            break
    assert middle == drawn


def test_the_key_map_is_shown_and_the_page_has_no_serious_fault_of_accessibility(page: Page, reading: str) -> None:
    from axe_playwright_python.sync_playwright import Axe

    page.keyboard.press("?")
    expect(page.get_by_test_id("keys")).to_be_visible()
    found = Axe().run(page)
    serious = [v["id"] for v in found.response["violations"] if v["impact"] in {"serious", "critical"}]
    assert serious == [], found.generate_report()
