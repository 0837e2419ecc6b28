"""Maps point at what a model has learned, and change when it forgets. Source: Adebayo et al. 2018; methods.md 6.4."""

import hashlib

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.stats import spearmanr

from ml.geometry.affine import apply_points, invert
from ml.runs.exits import Exit
from ml.runs.explanations import read_explanations
from ml.runs.manifest import Density, ManifestRow, Outcome, write_manifest
from ml.runs.request import Compute, EvaluationOptions, OutputOptions, Request, read_request, write_request
from ml.training.heat import Speech, heat_of
from ml.training.model_folder import load_model
from ml.training.run import run as run_folder
from tests.ml.methods import world as small

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

#: A method's own map and Grad-CAM: the name of the last layer that the map depends on, and the steps that it learns in.
METHODS = {"gmic": ("saliency", 400), "dcse_resnet50": ("head", 120)}
COARSE = pytest.mark.xfail(
    strict=True,
    reason="Grad-CAM on coarse cells of a tiny network after 120 steps: its maximum is 25 mm (median) from the disc",
)
NEAR_MM = 15.0
DRAWS = 8
"""One draw is a matter of luck: where features move together, a drawn layer gives the old map or its negative.
Seen: -0.2 to 0.85 (`gmic`, mean 0.41) and -0.55 to 0.93 (`dcse_resnet50`, mean 0.42). The mean is judged."""
PATIENTS = {"train": 48, "val": 12, "test": 12}


def disc_world(folder):
    """Four views of each patient; the ill half have one bright disc in each, its place drawn for each view."""
    rows, places, rng, p = [], {}, np.random.default_rng(0), 0
    for split, count in PATIENTS.items():
        for _ in range(count):
            ill = p % 2 == 1
            for v, name in enumerate(("R-CC", "L-CC", "R-MLO", "L-MLO")):
                disc = (rng.uniform(14, 40), rng.uniform(32, 64), 7.0) if ill else None
                path = folder / f"p{p}-{name}.npy"
                pixels = small.picture(4 * p + v, 0, disc)
                if name[0] == "R":
                    pixels = pixels[:, ::-1]
                    disc = disc and (small.COLS - disc[0], *disc[1:])
                np.save(path, pixels)
                places[f"p{p}-{name}"] = disc
                rows.append(
                    ManifestRow(
                        image_id=f"p{p}-{name}", exam_id=f"e{p}", patient_id=f"p{p}", laterality=name[0], view=name[2:],
                        rows=small.ROWS, cols=small.COLS, pixel_path=path.name, pixel_format="npy",
                        sha256=hashlib.sha256(path.read_bytes()).hexdigest(), presentation="for_presentation",
                        bits_stored=12, spacing_mm=(small.SPACING_MM,) * 2, spacing_source="user", split=split,
                        complete=True, outcome=Outcome(cancer=int(ill)), density=Density(label="D" if ill else "A"),
                    )
                )  # fmt: skip
            p += 1
    return rows, places


@pytest.fixture(scope="module", params=METHODS)
def learned(request, tmp_path_factory):
    """(run folder, rows, places of the discs, folder of the pixels) of a method that learned to find the disc."""
    folder = tmp_path_factory.mktemp("discs")
    rows, places = disc_world(folder)
    run = tmp_path_factory.mktemp(request.param) / "run"
    run.mkdir()
    write_manifest(run, rows, pixels_root=folder.resolve())
    order = Request(
        run_id="disc", method=request.param, config={"steps": METHODS[request.param][1]},
        pixels={"cache_dir": str(folder / "cache")},
        evaluation=EvaluationOptions(bootstrap=20), compute=Compute(device="cpu", threads=1),
        output=OutputOptions(explanations=12),
    )  # fmt: skip
    write_request(run, order)
    assert run_folder(run, command="train") is Exit.FINISHED
    return run, rows, places, folder


def distances_mm(run, places):
    """From the maximum of each map to the disc's middle, where there is a disc."""
    found = []
    for one in read_explanations(run / "explanations"):
        if places[one.image_id] is None or one.empty or one.label == "A":
            continue
        picture = np.asarray(Image.open(run / one.path))
        # Several cells may be as bright as 8 bits can tell: the middle of them.
        y, x = (float(np.mean(found)) for found in np.nonzero(picture >= picture.max() - 5))
        at = apply_points(invert(np.array(one.affine)), [[x + 0.5, y + 0.5]])[0]
        found.append(float(np.hypot(*(at - places[one.image_id][:2])) * small.SPACING_MM))
    return np.array(found)


def test_the_maximum_lies_within_15_mm_of_the_one_bright_disc(learned, request):
    run, _, places, _ = learned
    if read_request(run).method == "dcse_resnet50":
        request.applymarker(COARSE)
    found = distances_mm(run, places)
    print("mm from the disc:", np.round(found, 1))
    assert len(found) >= 8
    assert np.median(found) < NEAR_MM and (found < NEAR_MM).mean() >= 0.8


def test_maps_change_when_the_last_layer_is_drawn_anew(learned):
    run, rows, _, folder = learned
    model = load_model(run / "model")
    setup = small.settled(rows, folder, model.method.name)
    samples, loader = setup.view(split="test")
    # Where there is no disc a map has nothing to show but air and tissue, which any layer tells apart.
    ill = [sample for sample in samples if sample.row.outcome.cancer]
    batches = [loader.collate([loader.item(sample)], small.CPU.device) for sample in ill]
    speech = Speech(model.method, model.modules, model.config, model.aim)
    before = [heat_of(speech, batch).maps for batch in batches]
    *_, network = model.modules.values()
    weights = [own for name, own in network.named_parameters() if name.split(".")[0] == METHODS[model.method.name][0]]
    spreads = [float(weight.data.std()) if weight.numel() > 1 else 1.0 for weight in weights]
    alike = []
    for seed in range(DRAWS):
        draw = torch.Generator().manual_seed(seed)
        for weight, spread in zip(weights, spreads, strict=True):
            weight.data.normal_(std=spread, generator=draw)
        after = [heat_of(speech, batch).maps for batch in batches]
        # A map that becomes all zero has changed as well.
        alike += [
            spearmanr(a.flatten(), b.flatten()).statistic if a.max() > 0 and b.max() > 0 else 0.0
            for a, b in zip(before, after, strict=True)
        ]
    print("rank correlations, a row a draw:", np.round(np.reshape(alike, (DRAWS, -1)), 2), sep="\n")
    assert np.mean(alike) < 0.5
