"""A weights file that an operator brings: read without pickle's code, fitted to a trunk, and accounted for by key.

Nothing is ever downloaded. A file that torch refuses to load as weights alone stays refused.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ml.blocks.backbone import Backbone
from ml.runs.errors import invalid
from ml.runs.layouts import IMAGENET, OWN_TRUNK, SHARED, Family, recognised, renaming, without_prefixes
from ml.training.grey_stem import GREY_MEAN, GREY_SD, own_stem

Weights = dict[str, Tensor]
CONTAINERS = ("state_dict", "model")
COUNTERS = "num_batches_tracked"  # absent from old files, and of no effect at our fixed momentum
LEAST_SHARE = 0.9
AS_IT_IS = "as it is"
UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError, IndexError, AttributeError, EOFError,
              UnpicklingError, SafetensorError)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class WeightsFile:
    """The tensors of a file under our names, and whose names it had.

    `family` is None for a network that is not one of our backbones; its names must then be the trunk's own. `colour`
    is the mean and sd per channel of the images that it was trained with. `heads` are keys beside an own trunk.
    """

    weights: Weights
    layout: str
    family: str | None
    colour: tuple[tuple[float, ...], tuple[float, ...]]
    renamed: Mapping[str, str] = field(default_factory=dict)
    heads: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class KeyReport:
    """What became of every key; `share` is that of the trunk's trainable numbers that came from the file.

    `fresh` are parts that no published file has (gates, auxiliary heads) and that start from scratch.
    """

    layout: str
    family: str | None
    loaded: tuple[str, ...]
    renamed: Mapping[str, str]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    shape_mismatch: tuple[str, ...]
    dropped: tuple[str, ...]
    fresh: tuple[str, ...]
    stem: str
    share: float

    def document(self) -> dict[str, Any]:
        """As JSON, for environment.json."""
        document = {name: sorted(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}
        return {**document, "loaded": len(self.loaded)}


def read_weights(path: Path) -> Weights:
    """The named tensors of a `.safetensors`, `.pth` or `.pt` file, containers opened, prefixes stripped.

    Raises RunRefused (exit 2): `weights_kind`, `weights_unreadable`, `weights_empty`, `weights_not_finite`.
    """
    if path.suffix not in (".safetensors", ".pth", ".pt"):
        raise invalid("weights_kind", "a weights file is .safetensors, .pth or .pt", suffix=path.suffix)
    try:
        found = load_file(path) if path.suffix == ".safetensors" else _torch_file(path)
    except UNREADABLE as error:
        raise invalid(
            "weights_unreadable", f"the file cannot be read as weights alone: {type(error).__name__}"
        ) from None
    while isinstance(found, Mapping) and (inner := next((name for name in CONTAINERS if _holds(found, name)), None)):
        found = found[inner]
    named = {str(key): value for key, value in found.items() if isinstance(value, Tensor)} if _is_map(found) else {}
    weights: Weights = {}
    for key, value in named.items():
        if (name := without_prefixes(key)) in weights:
            raise invalid(
                "weights_ambiguous", "two weights of the file have one name without their prefixes", name=name
            )
        weights[name] = value
    if not weights:
        raise invalid("weights_empty", "the file holds no named tensors")
    broken = [name for name, value in weights.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        raise invalid("weights_not_finite", "the file holds weights that are not numbers", names=broken[:20])
    return weights


def _torch_file(path: Path) -> Any:
    return torch.load(path, map_location="cpu", weights_only=True)


def _is_map(found: object) -> bool:
    return isinstance(found, Mapping)


def _holds(found: Mapping[str, Any], name: str) -> bool:
    return isinstance(found.get(name), Mapping)


def understood(
    weights: Weights,
    *,
    layout: str = "auto",
    mean: tuple[float, ...] | None = None,
    sd: tuple[float, ...] | None = None,
    stage: str | None = None,
) -> WeightsFile:
    """Whose layout the names have, and the tensors under ours. Weights of our own models are those of their trunk.

    `mean` and `sd` replace what networks of the family are usually trained with. Raises RunRefused (exit 2):
    `weights_layout` where another layout is named, `weights_ambiguous` where several stages have a trunk.
    """
    own, heads = _own_trunk(weights, stage)
    family = recognised(own)
    found = "own" if own is not weights or family is None else family.layout
    if layout not in ("auto", found) and not (family and family.name in SHARED and layout != "own" != found):
        raise invalid("weights_layout", f"the file has the names of {found}, not of {layout}", family=_name(family))
    names = renaming(family, own)
    # Our own models say nothing of how they normed colours: without the request's word, no stem is converted.
    colour = ((), ()) if own is not weights else family.colour if family else IMAGENET
    return WeightsFile(
        weights={names[key]: value for key, value in own.items()},
        layout=found,
        family=_name(family),
        colour=(mean or colour[0], sd or colour[1]),
        renamed={key: name for key, name in names.items() if key != name},
        heads=heads,
    )


def _name(family: Family | None) -> str | None:
    return family.name if family else None


def _own_trunk(weights: Weights, stage: str | None) -> tuple[Weights, tuple[str, ...]]:
    """The trunk of one of our models, and the names beside it; any other file as it is."""
    trunks: dict[str, Weights] = {}
    for key, value in weights.items():
        if match := OWN_TRUNK.match(key):
            trunks.setdefault(match["stage"] or "", {})[match["name"]] = value
    if not trunks:
        return weights, ()
    if len(trunks) > 1 and stage not in trunks:
        raise invalid("weights_ambiguous", "several stages of the file have a trunk", stages=sorted(trunks))
    chosen = trunks[stage] if stage in trunks else next(iter(trunks.values()))
    return chosen, tuple(key for key in weights if not OWN_TRUNK.match(key))


def load_into(
    trunk: nn.Module, file: WeightsFile, *, input_norm: tuple[float, float] | None = None, allow_partial: bool = False
) -> KeyReport:
    """Put a file's weights into a trunk; the account of every key.

    The classifier is left behind. A file of a colour network fits a trunk of one channel: `input_norm` is the mean and
    sd by which our network norms its input (default 0.449, 0.226); a trunk of three channels takes its stem as it is,
    or, where `input_norm` is given, for that norm. Raises RunRefused (exit 2, `weights_incomplete`)
    where part of the trunk is missing or of another shape, unless `allow_partial`, and always below 90 %.
    """
    given, own = dict(file.weights), trunk.state_dict()
    stem = _fit_stem(trunk, given, own, file, input_norm)
    heads, additions = (trunk.classifier_names, trunk.additions) if isinstance(trunk, Backbone) else ((), ())
    wanted = [name for name in own if not name.startswith(heads)] if heads else list(own)
    fitting: Weights = {}
    mismatch = []
    for name in wanted:
        if name not in given:
            continue
        value = _shaped(given[name], own[name])
        if value.shape == own[name].shape:
            fitting[name] = value.to(own[name])
        else:
            mismatch.append(name)
    absent = [name for name in wanted if name not in given and not name.endswith(COUNTERS)]
    fresh = [name for name in absent if additions and name.startswith(additions)]
    dropped = [name for name in given if heads and name.startswith(heads)]
    parameters = {name: p.numel() for name, p in trunk.named_parameters() if name in wanted and name not in fresh}
    report = KeyReport(
        layout=file.layout,
        family=file.family,
        loaded=tuple(fitting),
        renamed=file.renamed,
        missing=tuple(name for name in absent if name not in fresh),
        unexpected=tuple(name for name in given if name not in own and name not in dropped),
        shape_mismatch=tuple(mismatch),
        dropped=(*dropped, *file.heads),
        fresh=tuple(fresh),
        stem=stem,
        share=round(sum(parameters[n] for n in fitting if n in parameters) / max(1, sum(parameters.values())), 4),
    )
    _require(report, allow_partial)
    trunk.load_state_dict({**own, **fitting})
    return report


def _shaped(value: Tensor, own: Tensor) -> Tensor:
    """A 1x1 or whole-map convolution as the linear layer that it is, a layer scale (C,) as (C, 1, 1)."""
    if (value.dim(), own.dim()) == (4, 2):
        return value.flatten(1)
    return value[:, None, None] if (value.dim(), own.dim()) == (1, 3) else value


def _fit_stem(
    trunk: nn.Module, given: Weights, own: Weights, file: WeightsFile, input_norm: tuple[float, float] | None
) -> str:
    """Turn a colour stem, in `given`, into one for our input. Raises RunRefused (exit 2, `weights_stem`)."""
    if not isinstance(trunk, Backbone):
        return AS_IT_IS
    name = f"{trunk.stem_name}.weight"
    weight = given.get(name)
    if weight is None or weight.dim() != 4 or weight.shape[1] != 3:
        return AS_IT_IS
    channels = own[name].shape[1]
    if channels not in (1, 3) or (channels == 3 and input_norm is None):
        return AS_IT_IS
    mean, sd = file.colour
    if len(mean) != 3 or len(sd) != 3:
        raise invalid("weights_stem", "a colour stem needs the mean and the sd of its three channels")
    norm = input_norm or (GREY_MEAN, GREY_SD)
    given[name], raised = own_stem(weight.float(), mean, sd, *norm, grey=channels == 1)
    bias, shift = f"{trunk.stem_name}.bias", f"{trunk.stem_norm_name}.running_mean"
    if bias in own and bias in given:
        given[bias] = given[bias] + raised
    elif shift in own and shift in given:
        given[shift] = given[shift] - raised
    else:
        raise invalid("weights_stem", "a colour stem needs a bias or a BatchNorm to be converted", stem=trunk.stem_name)
    return f"{'grey' if channels == 1 else 'colour'} for (x - {norm[0]:g}) / {norm[1]:g}"


def _require(report: KeyReport, allow_partial: bool) -> None:
    """Raises RunRefused (exit 2, `weights_incomplete`)."""
    whole = not (report.missing or report.shape_mismatch)
    if report.share >= LEAST_SHARE and (whole or allow_partial):
        return
    raise invalid(
        "weights_incomplete",
        f"the file gives {report.share:.1%} of the trunk; {len(report.missing)} weights are missing, "
        f"{len(report.shape_mismatch)} have another shape",
        share=report.share, layout=report.layout, family=report.family,
        missing=list(report.missing[:20]), shape_mismatch=list(report.shape_mismatch[:20]),
        unexpected=list(report.unexpected[:20]),
    )  # fmt: skip
