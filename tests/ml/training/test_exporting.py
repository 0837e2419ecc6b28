"""A model as a program: it says what the model says, or it is not written."""

import json
from dataclasses import replace

import pytest
import torch

from ml.methods import NAMES, get
from ml.methods.aims import aim_of
from ml.runs.errors import RunRefused
from ml.simulation.manifest import cohort
from ml.training.exporting import batches_for, export_on, fitted
from ml.training.model_folder import Model, ModelSpec, plain_config

#: Methods whose way to an answer cannot be written down: a network that chooses where the next one looks, estimators
#: that are no tensor operations, pairs that are told by comparing values.
REFUSED = (
    "cascade_segmentation", "screening_ensemble", "dbn_forest", "dream_ensemble", "unet_classifier", "gmic",
    "texture_ensemble", "wavelet_scattering", "bilateral_asymmetry", "se_asymmetry", "frozen_mil",
)  # fmt: skip


@pytest.fixture(scope="module")
def phantoms(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantoms")
    return list(cohort(folder, 2, seed=7, spacing_mm=2.0)), folder


def fresh_model(name, rows):
    """A model that learned nothing: what is asked here does not depend on its weights."""
    method = get(name)
    config = method.plan(method.configured("tiny", {}), rows)
    aim = aim_of(method, config, rows)
    torch.manual_seed(0)
    modules = {stage.name: stage.build().eval().requires_grad_(False) for stage in method.stages(config, aim)}
    spec = ModelSpec(
        method=name, size="tiny", task=aim.task, config=plain_config(config), labels=aim.labels, temperature=1.5,
        pixels=dict(method.reads(config, aim).pixels), findings=aim.findings,
    )  # fmt: skip
    return Model(spec, method, config, aim, modules)


def test_the_program_answers_as_the_model_does_whatever_the_size_of_the_image(phantoms, tmp_path):
    rows, folder = phantoms
    model = fresh_model("aunet", rows)
    batches = batches_for(model, rows, folder)
    found = export_on(model, batches, tmp_path / "out")
    assert found.max_difference <= 1e-3 and found.phantoms == 8 and "mask" in found.outputs
    about = json.loads((tmp_path / "out" / "export.json").read_text())
    assert about["inputs"]["x"][:3] == [1, 1, 1] and about["compared"]["phantoms"] == 8
    assert (tmp_path / "out" / "model.pt2").is_file()


def test_a_program_that_says_something_else_is_not_written(phantoms, tmp_path):
    rows, folder = phantoms
    model = fresh_model("dcse_resnet50", rows)
    own, calls = model.method.predict, []

    def drifting(modules, batch, config, inference):
        calls.append(None)
        return [replace(said, logits=said.logits * len(calls)) for said in own(modules, batch, config, inference)]

    model.method = replace(model.method, predict=drifting)
    with pytest.raises(RunRefused) as refused:
        export_on(model, batches_for(model, rows, folder), tmp_path / "out")
    assert refused.value.code == "export_differs" and not (tmp_path / "out").exists()


def test_a_program_that_says_no_number_of_one_of_the_phantoms_is_not_written(phantoms, tmp_path):
    rows, folder = phantoms
    model = fresh_model("dcse_resnet50", rows)
    batches = batches_for(model, rows, folder)
    batches[-1].x.fill_(float("nan"))
    with pytest.raises(RunRefused) as refused:
        export_on(model, batches, tmp_path / "out")
    assert refused.value.code == "export_differs" and not (tmp_path / "out").exists()


def test_phantoms_of_any_size_are_given_to_a_program_that_takes_one():
    x, view = torch.rand(1, 1, 1, 6, 4) + 1, torch.ones(1, 1)
    flags = torch.ones(1, 1, 1, 6, 4, dtype=torch.bool)
    shapes = {name: [1, 1, 1, 5, 6] for name in ("x", "valid", "breast")} | {"view_mask": [1, 1], "mm_per_px": [1, 1]}
    given, valid, _, *rest = fitted((x, flags, flags, view, view), shapes)
    assert given.shape == (1, 1, 1, 5, 6) and torch.equal(given[..., :4], x[..., :5, :])
    assert not given[..., 4:].any() and valid.dtype == torch.bool and valid.sum() == 20
    assert all(torch.equal(own, view) for own in rest)
    free = {**shapes, "x": [1, 1, 1, None, None]}
    assert torch.equal(fitted((x, flags, flags, view, view), free)[0], x)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_method_is_exported_or_is_known_not_to_be(name, phantoms, tmp_path):
    rows, folder = phantoms
    model = fresh_model(name, rows)
    batches = batches_for(model, rows, folder)
    if name in REFUSED:
        with pytest.raises(RunRefused) as refused:
            export_on(model, batches, tmp_path / "out")
        assert refused.value.code == "export_unsupported"
        return
    found = export_on(model, batches, tmp_path / "out")
    assert found.max_difference <= 1e-3 and found.phantoms == len(batches)
