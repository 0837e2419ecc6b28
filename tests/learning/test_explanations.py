"""Heat maps and nearest cases: kept with the version, shown to administrators, hidden from whoever reads the exam."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from annotations.models import Reading
from archive.models import Image
from core.clock import now
from learning.errors import ResultUnreadable
from learning.models import ExamEmbedding
from learning.services.explanations import directions, sample_owner, store_embeddings, store_explanations
from tests.learning import factories

pytestmark = pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume")


@pytest.fixture
def image(read_project):
    return Image.objects.select_related("exam").filter(exam__label="six").first()


@pytest.fixture
def a_map(density_version, image, var_dir):
    return factories.a_map(density_version, image)


def asked(version, exam):
    return {"project": str(version.project_id), "exam": str(exam)}


def test_a_map_is_stored_once_and_served_as_it_was_drawn(a_map, density_version, image, admin, api, tmp_path):
    factories.heat_maps(tmp_path, image, level=9)
    assert store_explanations(density_version, tmp_path) == 0
    (row,) = api(admin).get("/api/v1/explanations/", asked(density_version, image.exam_id)).json()
    assert (row["image"], row["kind"], row["label"], row["empty"]) == (str(image.pk), "grad_cam", "C", False)
    assert row["affine"] == [[0.25, 0, 0], [0, 0.25, 0], [0, 0, 1]]
    answer = api(admin).get(row["picture_url"])
    assert answer["Content-Type"] == "image/png" and "private" in answer["Cache-Control"]
    assert b"".join(answer).startswith(b"\x89PNG")


def test_a_map_that_is_all_zero_says_so(density_version, image, admin, api, tmp_path, var_dir):
    factories.heat_maps(tmp_path, image, level=0)
    assert store_explanations(density_version, tmp_path) == 1
    assert api(admin).get("/api/v1/explanations/", asked(density_version, image.exam_id)).json()[0]["empty"] is True


def test_a_folder_that_cannot_be_read_is_refused(density_version, tmp_path):
    (tmp_path / "explanations").mkdir()
    (tmp_path / "explanations" / "index.json").write_text("{")
    with pytest.raises(ResultUnreadable):
        store_explanations(density_version, tmp_path)


def test_whoever_reads_the_exam_is_told_of_no_model_until_their_reading_is_complete(
    a_map, density_version, image, admin, api, read_project
):
    pages = (
        ("/api/v1/explanations/", asked(density_version, image.exam_id)),
        (f"/api/v1/explanations/{a_map.pk}/picture/", {}),
        (f"/api/v1/models/{density_version.pk}/nearest/", {"exam": str(image.exam_id)}),
        (f"/api/v1/models/{density_version.pk}/predictions/", {"exam": str(image.exam_id)}),
        ("/api/v1/models/", asked(density_version, image.exam_id)),
    )
    own = Reading.objects.create(
        exam_id=image.exam_id, reader=admin, project=read_project, state="open", document={}, lease_until=now()
    )
    for address, query in pages:
        answer = api(admin).get(address, query)
        assert (answer.status_code, answer.json()["code"]) == (403, "learning.reads_blind")
    Reading.objects.filter(pk=own.pk).update(state="complete", lease_until=None, completed_revision=0)
    assert [api(admin).get(address, query).status_code for address, query in pages] == [200] * 5


def embeddings(folder, vectors):
    ids = sorted(vectors)
    stacked = np.array([vectors[name] for name in ids], np.float32)
    save_file({"embeddings": stacked}, folder / "embeddings.safetensors", {"ids": json.dumps(ids), "labels": "[]"})


def test_the_nearest_labelled_exams_come_with_their_labels_and_the_way_to_their_reading(
    density_version, pool, admin, api, snapshot
):
    from learning.services.runs import write_folder

    folder = write_folder(density_version.run)
    items = {item.exam_id: item for item in snapshot.items.all()}
    angle = {exam: 0.2 * n for n, exam in enumerate(sorted(items), start=1)}
    embeddings(folder, {str(exam): [np.cos(a), np.sin(a)] for exam, a in angle.items()})
    assert store_embeddings(density_version, folder) == len(items)
    asked_exam = pool[0].pk
    ExamEmbedding.objects.create(
        version=density_version, exam_id=asked_exam, split="pool", vector=np.array([1, 0], "<f4").tobytes()
    )
    # No map was drawn of it, and it has its neighbours all the same.
    (placed,) = api(admin).get("/api/v1/models/", asked(density_version, asked_exam)).json()["results"]
    assert placed["id"] == str(density_version.pk)
    assert api(admin).get("/api/v1/models/", asked(density_version, pool[1].pk)).json()["results"] == []
    rows = api(admin).get(f"/api/v1/models/{density_version.pk}/nearest/?exam={asked_exam}&count=3").json()
    assert [row["exam"] for row in rows] == [str(exam) for exam in sorted(items)[:3]]
    assert rows[0]["cosine"] == pytest.approx(np.cos(0.2), abs=1e-6)
    assert rows[0]["reading"] == str(items[min(items)].reading_id)
    assert rows[0]["density"] == json.loads(items[min(items)].body)["density"]["label"]
    assert rows[0]["images"][0]["thumbnail_url"].endswith("/thumbnail/")
    # An exam is not its own neighbour.
    first = sorted(items)[0]
    found = api(admin).get(f"/api/v1/models/{density_version.pk}/nearest/?exam={first}").json()
    assert str(first) not in [row["exam"] for row in found] and len(found) == len(items) - 1


def test_an_exam_is_the_mean_direction_of_its_samples():
    assert [sample_owner(name) for name in ("i1", "e1/R", "e1/CC", "i1:003")] == ["i1", "e1", "e1", "i1"]
    vectors = np.array([[3, 0], [0, 5], [0, 0], [np.nan, 1], [1, 1]], np.float32)
    found = directions(["a", "a", "b", "b", None], vectors)
    assert list(found) == ["a"]
    np.testing.assert_allclose(found["a"], [2**-0.5, 2**-0.5], rtol=1e-6)
