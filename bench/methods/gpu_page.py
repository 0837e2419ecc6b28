"""docs/gpu.md: what a GPU made of each method, from the committed figures of `gpu.py` alone. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bench.methods.page import RESULTS

FIGURES = RESULTS / "gpu.json"
LONG_WAIT = 0.1

INTRODUCTION = """\
Every gradient stage at size `large` with its default batch, trained for a few steps on phantom exams through the loop
and the loader of a real run (`bench/methods/gpu.py`; nothing is learned in so few steps). *Samples/s* counts what a
stage calls a sample: an image, a breast of two views, an exam of four, a region. *Waits* is the share of the time in
which the GPU had finished its work and the next batch was not yet in its memory. *Memory* is the most that tensors of
the process had taken by the end of the stage, so a later stage of a method shows the largest of those before it.
Steps {first} to {last} are counted. So few steps are a sample: neighbouring runs differed by up to a third, and the
three batches that lie ready when counting begins make waits look smaller than in a long run. fp32 is PyTorch's default,
whose convolutions round to TF32; that, and batches too small to fill such a card, may be why bf16 is seldom faster.

"""
AFTER = """\

Before images were varied in the GPU's own memory and batches put together ahead, the same loop on one NVIDIA H100
waited (bf16, 16 steps): `multiview_density` 96 % (2.7 exams/s), `gmic` 86 % (12 exams/s), `dcse_resnet50` 86 %
(33/s), `unet_classifier` 76 % in its second stage (32/s), `retinanet_mass` 29 % (21/s). Cards differ, so this is the
order of size, not a ratio.

What may have been why some waited (not measured): for its patches, `multiscale_patch` had whole images copied to the
GPU and varied there; `histogram_density` and `dbn_forest` learn from a batch in less time than the host took to ask for
it, image by image. Since these figures only what a step sees of an image is copied and varied, and images of several
sizes are varied together, for which the host asks a GPU about a third as often.

Measured before they changed, and not again since: `detr_lesion` (it then had batch norm and one channel),
`densenet201_transfer` (its source), the Inception trunks of `se_attention`, `se_asymmetry` and `unet_classifier` (their
padded means), the classifier of `screening_ensemble` (in every step its frozen detector looked at every view, about
which it is now asked once) and `frozen_mil` (its encoder was hashed in every step, and looked at tiles without breast,
too).
"""


def page(head: str) -> str:
    """The page; `head` says that it is generated."""
    document = json.loads(FIGURES.read_text())
    text = INTRODUCTION.format(first=4, last=document["steps"]) + _about(document["machine"], document)
    table = "\n".join(_table(document))
    return "# Methods on a GPU\n\n" + head + text + table + "\n\n" + _sum(document) + AFTER


def _about(machine: Mapping[str, Any], document: Mapping[str, Any]) -> str:
    return (
        f"Measured on one {machine['gpu']} beside {machine['cpus']} CPU cores, {document['date']}, torch "
        f"{machine['torch_build']}, CUDA {machine['cuda']}, revision {machine['code_version']}, "
        f"{document['exams']} exams.\n\n"
    )


def _table(document: Mapping[str, Any]) -> Iterator[str]:
    formats = sorted({name for own in document["methods"].values() for name in own}, reverse=True)
    columns = " | ".join(f"samples/s {name} | waits {name} | memory {name}" for name in formats)
    yield f"| method | stage | batch | {columns} |"
    yield "| --- | --- | --- |" + " --- |" * 3 * len(formats)
    for method, own in document["methods"].items():
        for stage in next(iter(own.values())):
            told = [own.get(name, {}).get(stage, {}) for name in formats]
            batch = next((str(figures["batch"]) for figures in told if "batch" in figures), "-")
            yield f"| `{method}` | {stage} | {batch} | {' | '.join(_cells(figures) for figures in told)} |"


def _cells(figures: Mapping[str, Any]) -> str:
    if "images_per_s" not in figures:
        return f"{figures.get('why', 'not measured')} | - | -"
    speed = figures["images_per_s"]
    memory = figures["gpu_mem_mb"] / 1024
    return f"{speed:.{0 if speed >= 10 else 1}f} | {100 * figures['waited_for_data']:.0f} % | {memory:.1f} GiB"


def _sum(document: Mapping[str, Any]) -> str:
    waits = [
        (figures["waited_for_data"], f"`{method}` {stage} ({name})")
        for method, own in document["methods"].items()
        for name, stages in own.items()
        for stage, figures in stages.items()
        if "waited_for_data" in figures
    ]
    late = [f"{who} {100 * share:.0f} %" for share, who in sorted(waits, reverse=True) if share >= LONG_WAIT]
    return (
        f"The GPU waits for less than {100 * LONG_WAIT:.0f} % of its time in {len(waits) - len(late)} of {len(waits)} "
        f"stages and number formats. In the others: {', '.join(late)}.\n"
    )
