"""What a reader sees: greys as the file wants them, the next exam at once, nothing cut off, nothing black."""

import itertools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Locator, Page, expect
from pydicom.dataset import Dataset
from pydicom.pixels import apply_voi_lut
from pydicom.sequence import Sequence
from pydicom.uid import generate_uid

from tests.archive.factories import a_mammogram
from tests.support.platform import Platform, until

#: The sides of an image are levels of ROWS x COLS squares, so that no interpolation is seen in the middle of one.
ROWS, COLS = 8, 6
SQUARE = 330

projects = (f"Room {n}" for n in itertools.count(1))


def steps(bits: int = 12) -> np.ndarray:
    """Squares from black to white, uint16, larger than the small level of the reading room."""
    values = np.linspace(0, 2**bits - 1, ROWS * COLS).round().astype(np.uint16).reshape(ROWS, COLS)
    return np.kron(values, np.ones((SQUARE, SQUARE), np.uint16))


def a_table(entries: int, first: int, bits: int, name: str, vr: str = "US") -> Dataset:
    """A VOI LUT that is bent, so that a straight line would be seen."""
    table = Dataset()
    values = (np.linspace(0, 1, entries) ** 2 * (2**bits - 1)).round().astype("<u2")
    table.LUTDescriptor, table.LUTExplanation = [entries, first, bits], name
    table.add_new("LUTData", vr, values.tolist() if vr == "US" else values.tobytes())
    return table


@dataclass
class Sent:
    """Exams on their way into a project of their own."""

    platform: Platform
    name: str = field(default_factory=lambda: next(projects))

    def files(self, datasets: list[Dataset]) -> str:
        """Take the files in and wait until they can be read; the project's id."""
        admin = self.platform.client("admin")
        project = admin.post("/api/v1/projects/", {"name": self.name})
        readers = [user["id"] for user in admin.get("/api/v1/users/")["results"] if user["username"] == "reader1"]
        admin.post("/api/v1/memberships/", {"project": project["id"], "user": readers[0], "role": "reader"})
        ingest = "/api/v1/ingests/" + admin.post("/api/v1/ingests/", {"project": project["id"]})["id"]
        for dataset in datasets:
            file = BytesIO()
            dataset.save_as(file, enforce_file_format=True)
            status, answer = admin.call("PUT", f"{ingest}/files/", file.getvalue())
            assert status == 202, answer
        admin.post(f"{ingest}/close/")
        exams = len({dataset.StudyInstanceUID for dataset in datasets})
        until(lambda: self._ready(admin, project["id"], exams), 120, "the exams to be ready")
        return str(project["id"])

    def _ready(self, admin: Any, project: str, exams: int) -> bool:
        rows = admin.get(f"/api/v1/exams/?project={project}")["results"]
        return len(rows) == exams and all(row["state"] != "preparing" for row in rows)


@pytest.fixture
def send(platform_running: Platform) -> Callable[[list[Dataset]], str]:
    return lambda datasets: Sent(platform_running).files(datasets)


@pytest.fixture
def open_next(page: Page, sign_in: Callable[[str], None], platform_running: Platform) -> Iterator[Callable[[str], str]]:
    """Open the next exam of a project as reader1; the reading's id."""

    def go(project: str) -> str:
        reading = platform_running.client("reader1").post("/api/v1/worklist/next/", {"project": project})
        sign_in("reader1")
        page.goto(f"/read/{reading['id']}")
        return str(reading["id"])

    yield go


def whole(page: Page, view: str) -> Locator:
    """A pane with all that it can show of its image on the screen."""
    pane = page.get_by_test_id(f"pane-{view}")
    expect(pane).to_have_attribute("data-resolution", re.compile("full|reduced"), timeout=60_000)
    return pane


def greys(page: Page, pane: Locator) -> np.ndarray:
    """What is painted in the middle of each square of `steps`, 0 to 255 (ROWS, COLS)."""
    surface = pane.locator(".pane-surface")
    box = surface.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 20, box["y"] + box["height"] / 2)
    first = pointed(pane)
    page.mouse.move(box["x"] + 120, box["y"] + box["height"] / 2 + 100)
    second = pointed(pane)
    per_px = np.subtract(second, first) / 100
    shot = np.asarray(Image.open(BytesIO(page.screenshot())).convert("L"), float)
    painted = np.zeros((ROWS, COLS))
    for row, col in np.ndindex(ROWS, COLS):
        x = box["x"] + 20 + ((col + 0.5) * SQUARE - first[0]) / per_px[0]
        y = box["y"] + box["height"] / 2 + ((row + 0.5) * SQUARE - first[1]) / per_px[1]
        painted[row, col] = np.median(shot[round(y) - 1 : round(y) + 2, round(x) - 1 : round(x) + 2])
    return painted


def pointed(pane: Locator) -> tuple[float, float]:
    found = re.search(r"x (-?[\d.]+) y (-?[\d.]+)", pane.inner_text())
    assert found, pane.inner_text()
    return float(found.group(1)), float(found.group(2))


def expected(dataset: Dataset, *, index: int, prefer_lut: bool) -> np.ndarray:
    """pydicom's greys of the squares, 0 to 255: the reference."""
    values = dataset.pixel_array[SQUARE // 2 :: SQUARE, SQUARE // 2 :: SQUARE]
    looked = apply_voi_lut(values, dataset, index=index, prefer_lut=prefer_lut).astype(float)
    white = 2 ** dataset.VOILUTSequence[index].LUTDescriptor[2] - 1 if prefer_lut else 4095
    grey = looked / white * 255
    return 255 - grey if dataset.PhotometricInterpretation == "MONOCHROME1" else grey


@pytest.mark.trap(1)
@pytest.mark.trap(2)
@pytest.mark.trap(3)
@pytest.mark.trap(4)
def test_every_window_and_table_of_a_file_is_painted_as_pydicom_says(
    page: Page, send: Callable[[list[Dataset]], str], open_next: Callable[[str], str]
) -> None:
    study = generate_uid()
    tables = [a_table(2000, 1000, 12, "NORMAL"), a_table(1500, 500, 10, "SOFTER", "OW")]
    said: dict[str, dict[str, Any]] = {
        "R-CC": {"VOILUTFunction": "LINEAR"},
        "L-CC": {"VOILUTFunction": "LINEAR_EXACT", "WindowWidth": [4096, 3.5]},
        "R-MLO": {"VOILUTFunction": "SIGMOID", "VOILUTSequence": Sequence(tables)},
        "L-MLO": {"PhotometricInterpretation": "MONOCHROME1", "VOILUTSequence": Sequence(tables[1:])},
    }
    files = {
        name: a_mammogram(study=study, laterality=name[0], view=name[2:], pixels=steps(), **more)
        for name, more in said.items()
    }
    for name, dataset in files.items():
        dataset.PatientOrientation = ["A" if name[0] == "L" else "P", "F"]
    open_next(send(list(files.values())))
    for name, dataset in files.items():
        pane = whole(page, name)
        picker = page.get_by_test_id(f"window-{name}")
        offered = picker.locator("option").all_inner_texts()
        luts = [f"{table.LUTExplanation} (LUT)" for table in dataset.get("VOILUTSequence", [])]
        assert offered == ["NORMAL", "HARDER", *luts, "all values"]
        expect(picker).to_have_value("NORMAL")
        for n, window in enumerate(offered[:-1]):
            picker.select_option(window)
            lut = n >= 2
            reference = expected(dataset, index=n - 2 if lut else n, prefer_lut=lut)
            off = np.abs(greys(page, pane) - reference)
            assert off.max() <= 2, (name, window, off.round(1))


@pytest.mark.trap(4)
def test_the_windows_of_a_file_are_turned_by_a_key_on_one_image_or_on_all(
    page: Page, send: Callable[[list[Dataset]], str], open_next: Callable[[str], str]
) -> None:
    study = generate_uid()
    open_next(send([a_mammogram(study=study, laterality=side) for side in "RL"]))
    right, left = (page.get_by_test_id(f"window-{side}-CC") for side in "RL")
    whole(page, "L-CC")
    whole(page, "R-CC").hover()
    page.keyboard.press("g")
    expect(right).to_have_value("HARDER")
    expect(left).to_have_value("NORMAL")
    page.keyboard.press("Shift+G")
    expect(left).to_have_value("all values")
    page.keyboard.press("w")
    box = whole(page, "R-CC").bounding_box()
    assert box is not None
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 2 + 40, box["y"] + box["height"] / 2 + 9)
    page.mouse.up()
    expect(right).to_have_value("set by hand")
    page.keyboard.press("g")
    expect(right).to_have_value("NORMAL")
    right.select_option("HARDER")
    page.keyboard.press("c")  # the keys are the room's again after a choice with the mouse
    expect(page.get_by_test_id("density-R-c")).to_have_attribute("aria-pressed", "true")


@pytest.mark.trap(14)
def test_an_image_that_graphics_cannot_hold_is_shown_smaller_and_says_so(
    page: Page, send: Callable[[list[Dataset]], str], open_next: Callable[[str], str]
) -> None:
    tall = np.full((9000, 1200), 3000, np.uint16)
    open_next(send([a_mammogram(pixels=tall, WindowCenter=2048, WindowWidth=4096, WindowCenterWidthExplanation="A")]))
    pane = whole(page, "R-CC")
    expect(pane.get_by_text(re.compile("1200 x 9000 is more than this computer's graphics can hold"))).to_be_visible()
    assert middle_of(page, pane) == pytest.approx(3000 / 4095 * 255, abs=2)
    pane.hover()
    x, y = pointed(pane)
    assert (x, y) == pytest.approx((600, 4500), abs=40)  # marks are still in stored pixels


def middle_of(page: Page, pane: Locator) -> float:
    box = pane.bounding_box()
    assert box is not None
    at = (round(box["x"] + box["width"] / 2), round(box["y"] + box["height"] / 2))
    return float(Image.open(BytesIO(page.screenshot())).convert("L").getpixel(at))


#: The viewer's graphics contexts live in canvases of its own that are in no page.
KEEP_CONTEXTS = """
const get = HTMLCanvasElement.prototype.getContext;
window.contexts = [];
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  const context = get.call(this, kind, ...rest);
  if (context && kind.startsWith("webgl")) window.contexts.push(context);
  return context;
};
"""
LOSE_CONTEXTS = """
for (const context of window.contexts.splice(0)) context.getExtension("WEBGL_lose_context")?.loseContext();
"""


@pytest.mark.trap(17)
def test_lost_graphics_are_painted_again_and_the_reader_is_told(
    page: Page, send: Callable[[list[Dataset]], str], open_next: Callable[[str], str]
) -> None:
    page.add_init_script(KEEP_CONTEXTS)
    flat = np.full((2000, 1600), 3000, np.uint16)
    said = {"WindowCenter": 2048, "WindowWidth": 4096, "WindowCenterWidthExplanation": "A"}
    open_next(send([a_mammogram(pixels=flat, **said)]))
    pane = whole(page, "R-CC")
    until(lambda: middle_of(page, pane) > 180, 20, "the image")
    for _ in range(2):
        page.evaluate(LOSE_CONTEXTS)
        expect(page.get_by_text("The graphics driver was restarted")).to_be_visible()
        page.mouse.wheel(0, -100)  # what is painted now comes from the new context
        until(lambda: middle_of(page, pane) > 180, 20, "the image again")


def pixels_in(urls: list[str]) -> list[str]:
    """Of what was asked for, the pixels."""
    return [url for url in urls if "/frames/" in url or "/display/" in url]


def heard(page: Page, condition: Callable[[], bool], what: str) -> None:
    """Wait for something that the page's own events tell, for they come only while the page is waited for."""
    for _ in range(600):
        if condition():
            return
        page.wait_for_timeout(100)
    pytest.fail(f"waited 60 s for {what}")


@pytest.mark.trap(16)
def test_the_next_exam_needs_no_pixels_from_the_server_and_the_last_ones_are_let_go(
    page: Page, send: Callable[[list[Dataset]], str], open_next: Callable[[str], str]
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    flat = [np.full((2000, 1600), 1000 + 700 * n, np.uint16) for n in range(3)]
    open_next(send([a_mammogram(pixels=pixels, patient=f"P{n}") for n, pixels in enumerate(flat)]))
    for turn in range(2):
        whole(page, "R-CC")
        heard(page, lambda wanted=4 - 2 * turn: len(pixels_in(asked)) >= wanted, "the pixels of the next exam")
        page.wait_for_load_state("networkidle")
        page.keyboard.press("n")
        expect(page.get_by_test_id("save-state")).to_have_attribute("data-revision", "1")
        asked.clear()
        label = page.get_by_test_id("exam-label").inner_text()
        page.keyboard.press("Enter")
        expect(page.get_by_test_id("exam-label")).not_to_have_text(label)
        whole(page, "R-CC")
        # What is asked for once the worklist has said what follows is for the exam after this one.
        listed = next((n for n, url in enumerate(asked) if "/worklist/?" in url), len(asked))
        assert pixels_in(asked[:listed]) == []
    asked.clear()
    page.get_by_test_id("back").click()
    expect(page.get_by_test_id("exam-label")).to_have_text(label)
    image = whole(page, "R-CC").get_attribute("data-image")
    assert any(f"/images/{image}/display/" in url for url in asked)  # it was not kept: two exams at most are


def drag(page: Page, pane: Locator) -> None:
    """A stroke in the middle of a pane with the tool that is in the hand."""
    box = pane.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 40, y + 30, steps=4)
    page.mouse.up()


def test_another_hanging_shows_the_whole_breast_wherever_the_last_one_was_zoomed_to(
    page: Page, send: Callable[[list[Dataset]], str], open_next: Callable[[str], str]
) -> None:
    study = generate_uid()
    names = [(side, view) for view in ("CC", "MLO") for side in "RL"]
    pixels = np.full((2000, 1600), 3000, np.uint16)
    open_next(send([a_mammogram(study=study, laterality=side, view=view, pixels=pixels) for side, view in names]))
    pane = whole(page, "R-CC")
    zoom = re.compile(r"^\d+:\d+(\.\d)? · W")
    whole_breast = pane.get_by_text(zoom).inner_text()
    pane.hover()
    page.keyboard.press("x")
    expect(pane.get_by_text(zoom)).to_have_text(re.compile("^1:1 ·"))
    page.keyboard.press("Space")
    expect(page.get_by_test_id("pane-R-MLO")).to_have_count(0)
    page.keyboard.press("Shift+Space")
    expect(pane.get_by_text(zoom)).to_have_text(whole_breast)


@pytest.mark.trap(20)
def test_a_session_that_ended_is_signed_in_again_in_place_and_nothing_is_lost(
    page: Page, send: Callable[[list[Dataset]], str], open_next: Callable[[str], str], platform_running: Platform
) -> None:
    reading = open_next(send([a_mammogram()]))
    whole(page, "R-CC")
    page.context.clear_cookies()
    page.keyboard.press("c")
    expect(page.get_by_label("Password")).to_be_focused()  # the name is known
    page.keyboard.type(platform_running.password("reader1"))
    page.keyboard.press("Enter")
    expect(page.get_by_test_id("save-state")).to_have_attribute("data-revision", "1", timeout=15_000)
    document = platform_running.client("reader1").get(f"/api/v1/readings/{reading}/")["document"]
    assert document["breasts"]["R"]["density"] == "c"


@pytest.mark.trap(23)
def test_what_was_not_sent_of_a_reading_completed_elsewhere_is_kept_and_amended(
    page: Page, send: Callable[[list[Dataset]], str], open_next: Callable[[str], str], platform_running: Platform
) -> None:
    reading = open_next(send([a_mammogram()]))
    whole(page, "R-CC")
    page.keyboard.press("c")
    expect(page.get_by_test_id("save-state")).to_have_attribute("data-revision", "1")
    client = platform_running.client("reader1")
    client.post(f"/api/v1/readings/{reading}/complete/", **{"If-Match": '"1"'})
    page.keyboard.press("d")
    page.get_by_test_id("amend-again").click()
    expect(page.get_by_test_id("save-state")).to_have_attribute("data-state", "saved", timeout=15_000)
    body = client.get(f"/api/v1/readings/{reading}/")
    assert (body["state"], body["document"]["breasts"]["R"]["density"]) == ("amending", "d")


SCREENS = [(1280, 800), (1440, 900), (1920, 1080), (2560, 1440), (1200, 1920)]
CUT_OFF = """() =>
  [...document.querySelectorAll(".toolbar, .toolbar-group, .room-bar, .answers, .finding, .finish, .tool, .pick")]
  .filter((part) => part.scrollWidth > part.clientWidth + 1)
  .map((part) => part.className)"""
OUTSIDE = """() => [...document.querySelectorAll(".toolbar button, .room-bar *, .answers button")]
  .map((part) => part.getBoundingClientRect())
  .filter((box) => box.right > innerWidth + 1 || box.bottom > innerHeight + 1 || box.left < -1).length"""
OVERLAPPING = """() => {
  const boxes = [...document.querySelectorAll(".toolbar button, .room-bar > *, .room-bar-end > *")]
    .filter((part) => !part.querySelector(".save"))
    .map((part) => [part.textContent, part.getBoundingClientRect()]);
  return boxes.flatMap(([a, p], n) => boxes.slice(n + 1)
    .filter(([, q]) => p.left < q.right - 1 && q.left < p.right - 1 && p.top < q.bottom - 1 && q.top < p.bottom - 1)
    .map(([b]) => `${a} / ${b}`));
}"""


@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_on_every_usual_screen_nothing_is_cut_off_and_images_take_three_quarters(
    page: Page, sign_in: Callable[[str], None], width: int, height: int
) -> None:
    page.set_viewport_size({"width": width, "height": height})
    sign_in("reader1")
    page.get_by_role("link", name=re.compile("Start reading")).click()
    whole(page, "R-CC")
    page.keyboard.press("r")
    drag(page, page.get_by_test_id("pane-R-CC"))
    expect(page.get_by_test_id("finding-birads")).to_be_visible()
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(OUTSIDE) == 0
    assert page.evaluate(OVERLAPPING) == []
    wall = page.locator(".wall").bounding_box()
    assert wall is not None and wall["width"] * wall["height"] >= 0.75 * width * height


@pytest.mark.trap(10)
def test_thumbnails_hang_as_in_the_room_chest_walls_back_to_back(
    page: Page, send: Callable[[list[Dataset]], str], sign_in: Callable[[str], None], platform_running: Platform
) -> None:
    study = generate_uid()
    wall_at_left = np.zeros((400, 320), np.uint16)
    wall_at_left[:, :100] = 4000
    files = [a_mammogram(study=study, laterality=side, pixels=wall_at_left) for side in "RL"]
    for dataset in files:  # stored with the chest wall at the left, both: rows lead to the front
        dataset.PatientOrientation = ["A", "L" if dataset.ImageLaterality == "R" else "R"]
    project = platform_running.client("admin").get(f"/api/v1/projects/{send(files)}/")
    sign_in("reader1")
    page.goto(f"/exams?project={project['slug']}")
    pictures = page.locator("tbody img")
    expect(pictures).to_have_count(2)
    page.wait_for_load_state("networkidle")
    bright = {}
    for picture in pictures.all():
        shot = np.asarray(Image.open(BytesIO(picture.screenshot())).convert("L"), float)
        half = shot.shape[1] // 2
        bright[picture.get_attribute("title")] = "left" if shot[:, :half].mean() > shot[:, half:].mean() else "right"
    assert bright == {"R CC": "right", "L CC": "left"}
