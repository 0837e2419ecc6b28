"""The learning checks: for each method what phantoms need its distinctive part, and what it is without that part.

One record a check. A phantom is changed until the check is accepted (`calibrate.py`), never its threshold; what could
not be accepted stays here with its figures, as a check of properties only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bench.methods.edits import (
    average_of_tiles,
    averaged,
    averaged_maps,
    bilinear_only,
    breast_alone,
    copied_guide,
    everywhere,
    from_random,
    grid_of_boxes,
    half_open,
    last_map,
    no_difference,
    no_patches,
    noise_for_made,
    one_member,
    only_the_head,
    sides_alone,
    without_graph,
)
from bench.methods.stubs import (
    Change,
    both,
    only_view,
    seeing,
    shuffled,
    unchanged,
    with_networks,
    with_stages,
    without_phases,
)
from bench.methods.worlds import Phantoms
from ml.runs.request import TargetKind


@dataclass(frozen=True, kw_only=True)
class Check:
    """What is compared. metric, level and row name a row of metrics.json; a `row` of None is the only target there is.
    A metric of `measures.MEASURES` is measured on the run itself.

    The stub is trained with config and stub_config, the true method with config alone. baseline: a key of
    `trivial.BASELINES`, else the best of those that `evaluate` reports. chance: of an accuracy.
    """

    method: str
    phantoms: Phantoms
    metric: str
    level: str
    stub_is: str
    baseline: str = "six statistics"
    suffix: str = ""
    task: str | None = None
    target: TargetKind | None = None
    row: str | None = None
    config: Mapping[str, Any] = field(default_factory=dict)
    stub_config: Mapping[str, Any] = field(default_factory=dict)
    chance: float | None = None
    true: Change = unchanged
    stub: Change = unchanged
    seeds: tuple[int, ...] = (0, 1, 2)

    @property
    def name(self) -> str:
        """That of its file."""
        return f"{self.method}{self.suffix}"


COUNT = (240, 0, 200)
"""Without validation: the number of steps is fixed, and no checkpoint is chosen."""
PAIRS = Phantoms(family="mirrored_pair", layout="pair", answer="asymmetry", count=COUNT, size=48, spacing_mm=2.0)
ONE_VIEW = Phantoms(
    family="density_one_view",
    layout="exam",
    answer="density",
    count=(400, 0, 200),
    size=64,
    classes=(0, 3),
    letters="AD",
)
MASSES = Phantoms(family="mass_sizes", layout="image", answer="boxes", count=COUNT, size=96, spacing_mm=1.6)

CHECKS: tuple[Check, ...] = (
    Check(
        method="texture_ensemble", metric="auc", level="finding", row="pathology", target="pathology",
        config={"steps": 1},
        phantoms=Phantoms(
            family="equal_histogram", layout="region", answer="pathology", count=(80, 0, 200), spacing_mm=0.2
        ),
        stub_is="the same features of shuffled pixels, which are a histogram (the CNN is left untrained in both)",
        stub=seeing(shuffled),
    ),
    Check(
        method="wavelet_scattering", metric="auc", level="finding", row="pathology", target="pathology",
        config={"steps": 60},
        phantoms=Phantoms(
            family="equal_spectrum", layout="region", answer="pathology", count=(120, 0, 200), spacing_mm=0.2
        ),
        stub_is="the same of what the power spectrum says", stub=seeing(without_phases),
    ),
    Check(
        method="dualcorenet", metric="auc", level="finding", row="pathology", target="pathology",
        # The first path, of two levels, sees 14 pixels at once, and the rims of the two masses lie further apart.
        config={
            "roi_px": 64, "levels": 2, "node_levels": 4, "lpl_steps": 60, "steps": 800, "lr": 3e-3, "dropout": 0.2,
        },
        phantoms=Phantoms(
            family="masses_apart", layout="region", answer="pathology", count=(400, 0, 300), size=64, spacing_mm=0.2
        ),
        stub_is="the first path alone: zeros in place of what the graph learner says",
        stub=with_networks(joint=without_graph),
    ),
    Check(
        method="alexnet_birads", metric="accuracy", level="exam", chance=0.5,
        phantoms=Phantoms(
            family="graded_density", layout="image", answer="density", count=(240, 0, 800), size=76, classes=(1, 2),
            letters="BC",
        ),
        config={"classes": ("B", "C"), "source": "none", "steps": 500},
        stub_is="a frozen random network under the last layer", stub=with_stages(only_the_head),
    ),
    Check(
        method="multiview_density", phantoms=ONE_VIEW, metric="accuracy", level="exam", chance=0.5,
        config={"input_px": (64, 64), "norm": "bn", "lr": 3e-3, "batch": 16, "steps": 200},
        stub_is="the L-CC view in the place of all four", stub=seeing(only_view(0)),
    ),
    Check(
        method="convnext_breast", metric="auc", level="exam", target="outcome",
        config={"rows_px": 64, "cols_px": 64},
        phantoms=Phantoms(
            family="mass_one_of_two_views", layout="breast", answer="outcome", count=(400, 0, 200), spacing_mm=1.6,
            options={"radius": 0.16},
        ),
        stub_is="the CC view in the place of both", stub=seeing(only_view(0)),
    ),
    Check(
        method="gmic", metric="auc", level="exam", target="outcome", seeds=(0, 1),
        phantoms=Phantoms(
            family="small_lesion_large_image", layout="image", answer="outcome", count=(400, 0, 200), size=160,
            spacing_mm=1.6, options={"radius": 0.06},
        ),
        config={"rows_px": 160, "cols_px": 160, "steps": 800, "top_share": 0.01},
        stub_is="the average of all cells in the place of each; crops stay in one corner",
        stub=with_networks(main=averaged_maps),
    ),
    Check(
        method="aunet", metric="dice", level="image", baseline="of evaluate",
        phantoms=replace(MASSES, answer="mask", size=64, count=(200, 0, 200)),
        config={"input_px": 64, "steps": 200},
        stub_is="bilinear upsampling alone: no dense map, every gate open", stub=with_networks(main=bilinear_only),
    ),
    Check(
        method="detr_lesion", metric="froc_sens@1", level="finding", row="mass", baseline="of evaluate",
        phantoms=Phantoms(
            family="two_lesions", layout="image", answer="boxes", count=(800, 0, 600), size=64, spacing_mm=1.6,
            options={"radii": (0.1, 0.15), "apart": 0.3},
        ),
        config={"side_px": 64, "steps": 1400}, stub_config={"queries": 1}, stub_is="one query", seeds=(0, 2),
    ),
    Check(
        method="bilateral_asymmetry", phantoms=PAIRS, metric="auc", level="exam",
        config={"input_px": (48, 48)},
        stub_is="each side's own maps in place of what it shows beyond the other", stub=with_networks(main=sides_alone),
    ),
    Check(
        method="se_asymmetry", phantoms=PAIRS, metric="auc", level="exam",
        config={"input_px": 64, "target_spacing_mm": 1.5},
        stub_is="zeros in place of the difference of the sides, in the gates and in the features",
        stub=with_networks(main=no_difference),
    ),
    Check(
        method="dcse_resnet50", phantoms=ONE_VIEW, metric="accuracy", level="exam", chance=0.5,
        config={"input_px": 64, "steps": 120}, stub_is="one view in the place of all four", stub=seeing(only_view(0)),
    ),
    Check(
        method="se_attention", metric="accuracy", level="exam", chance=0.25,
        phantoms=Phantoms(
            family="graded_density", layout="image", answer="density", count=COUNT, size=64, spacing_mm=3.6
        ),
        config={"source": "none", "steps": 120}, stub_is="gates fixed at one half",
        stub=with_networks(transfer=half_open),
    ),
    Check(
        method="frozen_mil", metric="auc", level="exam", target="outcome", seeds=(0, 1),
        phantoms=Phantoms(
            family="mass_one_of_four_views", layout="exam", answer="outcome", count=(300, 0, 200), size=128,
            spacing_mm=1.6, options={"radius": 0.085},
        ),
        config={
            "rows_px": 128, "cols_px": 128, "heads": 1, "steps": 300, "batch": 16, "encoder_batch": 16,
            "encoder_steps": 400,
        },
        stub_is="the average of the tiles in place of attention", stub=with_networks(heads=average_of_tiles),
    ),
    Check(
        method="retinanet_mass", metric="froc_sens@1", level="finding", row="mass", baseline="of evaluate",
        phantoms=replace(MASSES, count=(400, 0, 400)), seeds=(0, 2),
        config={"target_spacing_mm": 0.8, "steps": 500, "prepared_long_px": 192, "long_px": 192},
        stub_is="the trunk's last map in the place of every level of the pyramid", stub=with_networks(main=last_map),
    ),
    Check(
        # Spicules of 1.7 px are gone where the image is shrunk to a quarter.
        method="cascade_segmentation", metric="dice", level="image", baseline="of evaluate", seeds=(0, 2),
        phantoms=replace(MASSES, family="spiculated_masses", answer="mask", size=96, count=(400, 0, 200)),
        config={
            "finest_px": 96, "crop_px": 48, "target_spacing_mm": 1.6, "levels": 3, "coarse_steps": 300, "steps": 800,
            "lr": 3e-3,
        },
        stub_is="the map of the coarsest network, resized",
        stub=with_networks(level_1=copied_guide, level_2=copied_guide),
    ),
    Check(
        method="multiscale_patch", metric="auc", level="exam", target="outcome", seeds=(0, 1),
        phantoms=Phantoms(
            family="calc_cluster", layout="image", answer="outcome", count=(300, 0, 200), size=128, spacing_mm=0.8,
            options={"radius": 0.05, "beta": 4.5, "dots": (14, 18)},
        ),
        config={"patch_px": 32, "patches_steps": 500, "steps": 200, "lr": 5e-3, "batch": 8},
        stub_is="scans that start as they were drawn, and the average of the windows in place of their maximum",
        stub=both(with_stages(no_patches), with_networks(scan_fine=averaged, scan_coarse=averaged)),
    ),
    Check(
        method="msdae_density", metric="accuracy", level="exam", chance=0.25,
        phantoms=Phantoms(
            family="graded_density", layout="image", answer="density", count=COUNT, size=64, spacing_mm=0.8
        ),
        stub_is="pixels of one scale: no autoencoder is trained before, none beyond the first scale",
        stub_config={"scales": (1,), "pretrain_steps": 1},
    ),
    Check(
        method="unet_classifier", metric="auc", level="exam", target="outcome",
        phantoms=Phantoms(
            family="marker_confound", layout="image", answer="outcome", count=COUNT, size=64, spacing_mm=3.2,
            test_options={"correlated": False},
        ),
        stub_is="a mask that is the whole film, letter and all", stub=with_networks(segment=everywhere),
    ),
    Check(
        method="densenet201_transfer", metric="auc", level="finding", task="lesion_classification", row="presence",
        target="presence",
        phantoms=replace(MASSES, count=(400, 0, 400), options={"radii": (0.12,)}), seeds=(0, 2),
        # Wide regions, in which masses are as large as the source shows them.
        config={
            "source": "presence", "target_spacing_mm": 0.8, "whole_spacing_mm": 2.4, "margin": 4.0,
            "transfer_head_steps": 30, "steps": 10, "pretrain_steps": 500,
        },
        stub_is="a trunk that starts as it was drawn, and the same steps", stub=with_stages(from_random),
    ),
    Check(
        method="screening_ensemble", metric="auc", level="exam", target="outcome",
        phantoms=Phantoms(
            family="three_cues", layout="exam", answer="outcome", count=(240, 60, 200), size=48, spacing_mm=2.4
        ),
        config={"rows_px": 144, "cols_px": 96},
        stub_is="the breast model's score in the place of all three", stub=breast_alone,
    ),
    Check(
        method="dbn_forest", metric="froc_sens@1", level="finding", task="lesion_detection", row="mass",
        baseline="of evaluate", phantoms=MASSES, config={"target_spacing_mm": 0.96},
        stub_is="squares of a grid, as many, in place of what the belief nets propose",
        stub=with_networks(belief=grid_of_boxes), seeds=(0, 1),
    ),
    Check(
        method="gan_augmentation", metric="spectrum", level="finding", row="pathology", target="pathology",
        baseline="white noise", config={"gan_steps": 1000, "steps": 30}, seeds=(0, 2),
        phantoms=Phantoms(
            family="roi_mass", layout="region", answer="pathology", count=(80, 0, 200), size=48, spacing_mm=0.8
        ),
        stub_is="noise of the same grey values in the place of made regions", stub=with_stages(noise_for_made),
    ),
    Check(
        # Which member knows is learned out of fold: one alone has nothing to choose from.
        method="dream_ensemble", metric="auc", level="exam", target="outcome", seeds=(0, 1),
        phantoms=Phantoms(
            family="mass_one_of_two_views", layout="breast", answer="outcome", count=(300, 0, 200), spacing_mm=1.6,
            options={"radius": 0.16},
        ),
        config={"rows_px": 64, "cols_px": 64, "member_steps": 300},
        stub_is="the score of convnext_breast in the place of all three", stub=with_networks(stack=one_member(1)),
    ),
    Check(
        method="histogram_density", metric="accuracy", level="exam", chance=0.5, config={"steps": 400},
        phantoms=Phantoms(
            family="clumped_greys", layout="exam", answer="density", count=(300, 0, 200), size=64, spacing_mm=1.6,
            letters="AD",
        ),
        stub_is="the L-CC view in the place of all four", stub=seeing(only_view(0)),
    ),
)  # fmt: skip
