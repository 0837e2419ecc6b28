"""What a run cost, and what preparation flagged, as its record tells it."""

from ml.training.environment import cpu_name, driver_version
from ml.training.flagged import Flagged
from ml.training.making import worked


def at(second, kind="progress"):
    return {"type": kind, "t": f"2026-01-05T10:{second // 60:02d}:{second % 60:02d}.500Z"}


def test_the_time_of_all_attempts_counts_and_the_time_between_them_does_not():
    first = [at(0, "started"), at(20), at(30)]
    assert worked(first) == (30.0, 1)
    assert worked([*first, at(600, "started"), at(615)]) == (45.0, 2)
    assert worked([]) == (0.0, 0)


def test_an_image_that_two_preparations_flag_counts_once():
    flagged = Flagged()
    for image in ("a", "b", "a", "c", "d"):
        flagged.note(image, ("mask_failed",) if image == "a" else ())
    flagged.note("b", ("flat", "mask_failed"))
    assert flagged.rates() == {
        "flat": {"images": 1, "of": 4, "share": 0.25},
        "mask_failed": {"images": 2, "of": 4, "share": 0.5},
    }


def test_a_driver_is_known_by_the_text_of_either_kernel_module(tmp_path):
    told = tmp_path / "version"
    for line, found in (
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023", "535.104.05"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build", "550.54.15"),
        ("something else", None),
    ):
        told.write_text(line + "\nGCC version:  gcc version 12.2.0\n")
        assert driver_version(told) == found
    assert driver_version(tmp_path / "absent") is None


def test_a_processor_has_its_model_or_at_least_its_architecture(tmp_path):
    told = tmp_path / "cpuinfo"
    told.write_text("processor\t: 0\nmodel name\t: Any CPU @ 2 GHz\nflags\t: fpu\n")
    assert cpu_name(told) == "Any CPU @ 2 GHz"
    assert cpu_name(tmp_path / "absent")
