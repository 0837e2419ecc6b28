"""What each method says of two fixed samples with fixed weights: a number that moves is a change of the method.

Weights are not stored (the tiny models are megabytes) but drawn from the names of the tensors, the same on every
machine and in every version of torch. `GOLDEN=write python -m pytest tests/ml/methods/test_golden.py` writes the
answers again, which a change of a method's results must do, and say why.
"""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from ml.methods import NAMES
from ml.methods.spec import Inference

STORED = Path(__file__).with_name("golden.json")
#: Methods that answer by estimators, which drawn weights cannot stand in for.
FITTED = (
    "dbn_forest",
    "texture_ensemble",
    "wavelet_scattering",
    "dream_ensemble",
    "screening_ensemble",
    "alexnet_birads",
)
TOLERANCE = 1e-4


def drawn(name, tensor):
    """Values for a tensor, by its name: weights that keep answers from their ends, norms near one, small biases."""
    if not tensor.is_floating_point() or not tensor.numel():
        return tensor
    seed = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
    normal = np.random.Generator(np.random.PCG64(seed)).standard_normal(tuple(tensor.shape))
    if tensor.dim() > 1:
        values = normal * np.sqrt(0.7 / max(tensor[0].numel(), 1))
    elif name.endswith("running_var"):
        values = 1 + 0.1 * np.abs(normal)
    else:
        values = (1.0 if name.endswith("weight") else 0.0) + 0.1 * normal
    return torch.from_numpy(np.asarray(values)).to(tensor)


def told(prediction):
    """A prediction as a few numbers."""
    found = {}
    for name in ("probabilities", "logits", "scores", "embedding", "mask"):
        value = getattr(prediction, name)
        if value is not None and value.numel():
            flat = value.double().flatten()
            found[name] = [float(flat.mean()), float(flat.abs().max()), *flat[:: max(1, len(flat) // 3)][:3].tolist()]
    if prediction.boxes is not None and len(prediction.boxes):
        found["boxes"] = prediction.boxes[0].tolist()
    return {name: [round(value, 6) for value in values] for name, values in found.items()}


def answers(setup):
    modules = setup.modules()
    for stage, module in modules.items():
        module.load_state_dict({key: drawn(f"{stage}.{key}", value) for key, value in module.state_dict().items()})
        module.eval()
    with torch.inference_mode():
        said = setup.method.predict(modules, setup.batch(n=2), setup.config, Inference(aim=setup.aim))
    return [told(one) for one in said]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in FITTED])
def test_a_method_says_what_it_said(name, a_setup):
    found = answers(a_setup(name))
    assert all(found)
    known = json.loads(STORED.read_text()) if STORED.exists() else {}
    if os.environ.get("GOLDEN") == "write":
        lines = ",\n".join(f' "{key}": {json.dumps(value)}' for key, value in sorted({**known, name: found}.items()))
        STORED.write_text(f"{{\n{lines}\n}}\n")
        return
    assert len(found) == len(known[name])
    for one, other in zip(found, known[name], strict=True):
        assert one.keys() == other.keys()
        for key in one:
            scale = max(1.0, *map(abs, other[key]))
            assert one[key] == pytest.approx(other[key], abs=TOLERANCE * scale), key
