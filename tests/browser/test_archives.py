"""An administrator pulls an exam from a PACS, and is told what is wrong with one that does not give it."""

import re
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from playwright.sync_api import Locator, Page, expect
from pydicom.uid import generate_uid

from tests.archive.factories import a_mammogram, breast
from tests.browser.conftest import shot
from tests.conftest import missing
from tests.support.misbehaving import a_misbehaving_server
from tests.support.orthanc import LOGIN, an_orthanc, dicomweb_plugin, sent_to
from tests.support.platform import free_port

pytestmark = pytest.mark.timeout(600)
PATIENT = "PULL-ME-17"


@pytest.fixture(scope="module")
def orthanc(require_tool: Callable[[str], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A PACS with one exam of four views, and another patient's."""
    plugin = dicomweb_plugin()
    if plugin is None:
        missing("Orthanc's DICOMweb plugin")
    assert plugin is not None
    with an_orthanc(require_tool("Orthanc"), plugin, tmp_path_factory.mktemp("orthanc")) as url:
        study, views = generate_uid(), [(side, view) for side in "RL" for view in ("CC", "MLO")]
        sent_to(url, *(a_view(study, side, view) for side, view in views))
        sent_to(url, a_mammogram(patient="ANOTHER-18", PatientName="Other^Olga"))
        yield url


def a_view(study: str, side: str, view: str) -> object:
    pixels = breast(640, 512, seed=3)
    pixels = pixels if side == "L" else np.ascontiguousarray(pixels[:, ::-1])
    named = {"PatientName": "Pulled^Paula", "StudyDescription": "Screening"}
    orientation = ["A" if side == "L" else "P", {"CC": "R" if side == "L" else "L", "MLO": "F"}[view]]
    return a_mammogram(
        study=study, patient=PATIENT, laterality=side, view=view, pixels=pixels, PatientOrientation=orientation, **named
    )


@pytest.fixture(scope="module")
def misbehaving() -> Iterator[str]:
    with a_misbehaving_server() as url:
        yield url


def add(page: Page, name: str, url: str, *, user: str = "", password: str = "", seconds: str = "") -> Locator:
    """Enter an archive by the form; its row in the table."""
    page.goto("/archives")
    page.get_by_role("button", name="Add an archive…").click()
    page.get_by_label("Name", exact=True).fill(name)
    page.get_by_label("DICOMweb address").fill(url)
    page.get_by_label("User name").fill(user)
    page.get_by_label("Password").fill(password)
    if seconds:
        page.get_by_label("Give up after").fill(seconds)
    shot(page, f"archive-form-{name}")
    page.get_by_role("button", name="Save").click()
    row = page.get_by_role("row").filter(has_text=name)
    expect(row).to_be_visible()
    return row


def test_an_exam_is_found_pulled_watched_and_opened(page: Page, sign_in: Callable[[str], None], orthanc: str) -> None:
    sign_in("admin")
    row = add(page, "Radiology", orthanc, user=LOGIN[0], password=LOGIN[1])
    expect(row.get_by_text("kept, encrypted")).to_be_visible()
    row.get_by_role("button", name="Try").click()
    expect(row.get_by_text(re.compile(r"answered in \d+ ms"))).to_be_visible()
    shot(page, "archives")

    row.get_by_role("link", name="Radiology").click()
    page.get_by_label("Patient ID").fill(PATIENT)
    page.get_by_role("button", name="Search").click()
    found = page.get_by_role("table", name="Exams in the archive").get_by_role("row")
    expect(found).to_have_count(2)  # the head and one exam: not the other patient's
    expect(found.nth(1)).to_contain_text("2023-04-05")
    expect(found.nth(1)).to_contain_text("Pulled, Paula")
    assert PATIENT not in page.url and "Paula" not in page.url
    expect(page.get_by_role("button", name=re.compile("^Pull"))).to_be_disabled()
    found.nth(1).get_by_role("checkbox").check()
    shot(page, "archive-found")
    page.get_by_role("button", name=re.compile("^Pull 1 exam into ")).click()

    page.wait_for_url(re.compile("/jobs/[0-9a-f-]{36}"))
    shot(page, "archive-job")
    expect(page.get_by_text("Fetched 4 images of 1 exam.")).to_be_visible(timeout=120_000)
    shot(page, "archive-job-done")
    page.get_by_role("link", name="Open what it is for").click()
    expect(page.get_by_text(re.compile("accepted")).first).to_be_visible(timeout=120_000)
    shot(page, "archive-import")
    page.get_by_role("link", name="Open exams").click()
    exams = page.get_by_role("table").get_by_role("row")
    exams.nth(1).get_by_role("link").first.click()  # newest first
    page.wait_for_url(re.compile("/exams/[0-9a-f-]{36}"))
    pictures = page.locator("main img")
    expect(pictures).to_have_count(4, timeout=60_000)
    page.wait_for_function("[...document.querySelectorAll('main img')].every(i => i.complete && i.naturalWidth > 0)")
    text = page.locator("main").inner_text()
    assert "Paula" not in text and PATIENT not in text and "2023-04-05" not in text
    shot(page, "archive-exam")


@pytest.mark.parametrize(
    ("name", "mode", "said"),
    [
        ("Refusing", "401", "does not let us in"),
        ("Broken", "500", "has trouble of its own"),
        ("Web page", "page", "but not as DICOMweb"),
        ("Slow", "slow", "took too long to answer"),
    ],
)
def test_an_archive_that_does_not_answer_as_it_should_is_said_to(
    page: Page, sign_in: Callable[[str], None], misbehaving: str, name: str, mode: str, said: str
) -> None:
    sign_in("admin")
    row = add(page, name, f"{misbehaving}/{mode}", user="mammo", password="wrong", seconds="1")
    row.get_by_role("button", name="Try").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(said, timeout=30_000)
    shot(page, f"archive-error-{mode}")


def test_an_archive_that_is_off_is_said_to_be_and_a_search_keeps_what_was_typed(
    page: Page, sign_in: Callable[[str], None]
) -> None:
    sign_in("admin")
    row = add(page, "Switched off", f"http://127.0.0.1:{free_port()}/dicom-web")
    row.get_by_role("link", name="Switched off").click()
    page.get_by_label("Patient ID").fill(PATIENT)
    page.get_by_role("button", name="Search").click()
    expect(page.get_by_role("alert")).to_contain_text("The archive does not answer.", timeout=30_000)
    expect(page.get_by_label("Patient ID")).to_have_value(PATIENT)
    shot(page, "archive-off")
