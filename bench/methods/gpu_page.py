"""docs/gpu.md: what a GPU made of each method, from the committed figures of `gpu.py` alone. No torch."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from bench.methods.page import RESULTS

FIGURES, AGAIN = RESULTS / "gpu.json", RESULTS / "gpu-again.json"
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

## Measured again

These methods, or the way of their images to the GPU, have changed since the table above: of an image a GPU now gets
only what a step sees, and a batch of images of several sizes is varied at once; the encoder of `frozen_mil` keeps what
it said of an image. The second measurement had six cores of the machine, while others worked on the other ten and on
none of the GPU: its waits say what few loading threads cost, and cannot be set beside those above one by one.

"""

LEFT = """\

What is left: `multiscale_patch` still waits for its patches about half of the time, and the smallest networks learn
from a batch in less time than the host takes to prepare it. `screening_ensemble`, whose second stage looked at seven
windows of every view in every step, now asks its detector once about each image, which no GPU has measured.
"""


def page(head: str) -> str:
    """The page; `head` says that it is generated."""
    document = json.loads(FIGURES.read_text())
    again = json.loads(AGAIN.read_text())
    introduction = INTRODUCTION.format(first=4, last=document["steps"])
    return "# Methods on a GPU\n\n" + head + introduction + _measured(document) + AFTER + _measured(again) + LEFT


def _measured(document: Mapping[str, Any]) -> str:
    """About, table and sum of one measurement."""
    return _about(document["machine"], document) + "\n".join(_table(document)) + "\n\n" + _sum(document)


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
