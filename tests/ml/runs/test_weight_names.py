"""The family of a weights file from its names alone, as each format has them."""

import pickle

import pytest

from ml.runs.weight_names import family_in, family_of

RESNET = ("bn1.weight", "layer1.0.conv1.weight", "fc.weight")


def test_names_tell_the_family_with_and_without_what_wrappers_add():
    for names in (RESNET, [f"module.{name}" for name in RESNET], [f"main.trunk.{name}" for name in RESNET]):
        found = family_of(names)
        assert found is not None and (found.name, found.layout) == ("resnet", "torchvision")
    assert family_of(["stem.weight"]) is None and family_of([]) is None


def test_what_cannot_be_read_is_of_no_family(tmp_path):
    for name, content in (
        ("page.pth", b"<html>404</html>"),
        ("cut.pth", b"PK\x03\x04 and no more"),
        ("cut.pt", b"\x80\x02}q\x00X\x0a"),
        ("long.safetensors", (2**62).to_bytes(8, "little") + b"{}"),
        ("empty.pt", b""),
    ):
        (tmp_path / name).write_bytes(content)
        assert family_in(tmp_path / name) is None


def test_a_pickle_is_looked_at_and_never_run(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("it was run",))

    (tmp_path / "old.pth").write_bytes(pickle.dumps({**dict.fromkeys(RESNET), "bomb": Bomb()}, protocol=2))
    found = family_in(tmp_path / "old.pth")
    assert found is not None and found.name == "resnet"
