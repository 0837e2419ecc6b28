"""The methods, one file each. Importing this costs nothing: `get` imports a method's file when it is asked for."""

from importlib import import_module

from ml.methods.spec import MethodSpec
from ml.runs.errors import invalid

NAMES: tuple[str, ...] = (
    "msdae_density",
    "multiscale_patch",
    "alexnet_birads",
    "retinanet_mass",
    "aunet",
    "multiview_density",
    "cascade_segmentation",
    "gan_augmentation",
    "densenet201_transfer",
    "dcse_resnet50",
    "screening_ensemble",
    "se_attention",
    "dbn_forest",
    "dream_ensemble",
    "unet_classifier",
    "dualcorenet",
    "texture_ensemble",
    "wavelet_scattering",
    "bilateral_asymmetry",
    "se_asymmetry",
    "histogram_density",
    "gmic",
    "convnext_breast",
    "frozen_mil",
    "detr_lesion",
)


def get(name: str) -> MethodSpec:
    """The record of a method. Raises RunRefused (exit 2, `method_unknown`)."""
    if name not in NAMES:
        raise invalid("method_unknown", f"there is no method named {name!r}", method=name)
    return import_module(f"ml.methods.{name}").SPEC


def parameters(spec: MethodSpec, size: str) -> int:
    """Weights of all stages of a size for the main task, counted without making them."""
    import torch

    from ml.methods.aims import aim_of

    config = spec.plan(spec.configured(size, {}), [])
    with torch.device("meta"):
        networks = [stage.build() for stage in spec.stages(config, aim_of(spec, config, []))]
    return sum(weight.numel() for network in networks for weight in network.parameters())


def catalogue() -> list[dict[str, object]]:
    """What `ml/catalogue.json` must hold: the part of every record that can be read without torch."""
    from ml.methods.aims import askable
    from ml.runs.records import to_dict

    rows = []
    for name in NAMES:
        spec = get(name)
        rows.append(
            {
                "name": spec.name,
                "seed_row": spec.seed_row,
                "task": spec.task,
                "fidelity": spec.serves[0].fidelity,
                "serves": [
                    {
                        "task": served.task,
                        "fidelity": served.fidelity,
                        "claim_note": served.claim_note,
                        "targets": askable(served),
                    }
                    for served in spec.serves
                ],
                "findings": list(spec.findings),
                "needs": to_dict(spec.needs),
                "inputs": to_dict(spec.inputs),
                "sizes": list(spec.sizes),
                "parameters": {size: parameters(spec, size) for size in spec.sizes},
                "reference": spec.reference,
            }
        )
    return rows
