"""The polarity rule: after decoding, a dense insert is brighter than fat, whatever the file's conventions."""

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from ml.pixels.decode import decode
from ml.pixels.errors import PixelError
from ml.pixels.header import PixelInfo
from tests.ml.pixels.files import PROCESSING, a_breast, dicom_of

BREAST = a_breast()
DENSE = np.zeros_like(BREAST)
DENSE[130:170, 40:80] = True


def attenuation() -> np.ndarray:
    """0 in air, 1 in fat, 2 in the dense insert."""
    return BREAST + 1.0 * DENSE


def brighter(pixels: np.ndarray) -> bool:
    fat, air = pixels[BREAST & ~DENSE], pixels[~BREAST]
    return bool(pixels[DENSE].min() > fat.max() and fat.min() > air.max())


@pytest.mark.trap(3)
@pytest.mark.parametrize(("bits", "photometric"), list(product((12, 16), ("MONOCHROME1", "MONOCHROME2"))))
def test_dense_is_bright_in_either_photometric_for_presentation(bits: int, photometric: str) -> None:
    values = attenuation() * 1000 + 200
    stored = (2**bits - 1 - values if photometric == "MONOCHROME1" else values).astype(np.uint16)
    found = decode(dicom_of(stored, bits=bits, PhotometricInterpretation=photometric))
    assert brighter(found.pixels)
    assert np.array_equal(found.pixels, values.astype(np.float32))


@pytest.mark.parametrize(
    ("sign", "relation", "orientation", "photometric"),
    list(product((1, -1, None), ("LIN", "LOG", None), (["A", "F"], None), ("MONOCHROME1", "MONOCHROME2"))),
)
def test_dense_is_bright_in_every_for_processing_convention(
    sign: int | None, relation: str | None, orientation: list[str] | None, photometric: str
) -> None:
    exposure = 3000.0 * np.exp(-0.8 * attenuation())
    if relation == "LOG":
        exposure = 300.0 * np.log(exposure)
    stored = (4095 - exposure if sign == -1 else exposure).astype(np.uint16)
    elements: dict[str, Any] = {"SOPClassUID": PROCESSING, "PresentationIntentType": "FOR PROCESSING"}
    elements |= {"PixelIntensityRelationshipSign": sign} if sign else {}
    elements |= {"PixelIntensityRelationship": relation} if relation else {}
    elements |= {"PatientOrientation": orientation} if orientation else {}
    found = decode(dicom_of(stored, PhotometricInterpretation=photometric, **elements))
    assert found.info.presentation == "for_processing"
    assert brighter(found.pixels) and found.pixels.min() >= 0


@pytest.mark.parametrize("side", ["left", "right"])
def test_without_a_sign_a_raw_image_stored_upside_down_is_noticed_by_its_air(side: str) -> None:
    breast = a_breast(side=side)
    exposure = 3000.0 * np.exp(-0.8 * breast)
    elements = {"PresentationIntentType": "FOR PROCESSING", "PatientOrientation": ["A" if side == "left" else "P", "F"]}
    found = decode(dicom_of((4095 - exposure).astype(np.uint16), **elements))
    assert found.pixels[breast].min() > found.pixels[~breast].max()


def test_rescale_is_applied_after_the_inversion() -> None:
    stored = np.array([[0, 100], [200, 4095]], np.uint16)
    plain = decode(dicom_of(stored, RescaleSlope=2, RescaleIntercept=-10)).pixels
    inverted = decode(dicom_of(4095 - stored, PhotometricInterpretation="MONOCHROME1", RescaleSlope=2,
                               RescaleIntercept=-10)).pixels  # fmt: skip
    assert np.array_equal(plain, stored.astype(np.float32) * 2 - 10)
    assert np.array_equal(plain, inverted)


def test_signed_monochrome1_is_inverted_within_its_range() -> None:
    stored = np.array([[-2048, 0], [5, 2047]], np.int16)
    assert decode(dicom_of(stored, PhotometricInterpretation="MONOCHROME1")).pixels.tolist() == [
        [2047, -1],
        [-6, -2048],
    ]


def test_a_window_changes_nothing_of_what_is_learned_from() -> None:
    stored = np.arange(64, dtype=np.uint16).reshape(8, 8)
    windowed = dicom_of(stored, WindowCenter=[5, 9], WindowWidth=[3, 4], VOILUTFunction="SIGMOID")
    assert np.array_equal(decode(windowed).pixels, stored)


def test_padding_becomes_the_lowest_value_and_is_remembered() -> None:
    stored = np.array([[0, 7, 30], [31, 50, 90]], np.uint16)
    found = decode(dicom_of(stored, PixelPaddingValue=0, PixelPaddingRangeLimit=30))
    assert found.pixels.tolist() == [[31, 31, 31], [31, 50, 90]]
    assert found.padding is not None and found.padding.tolist() == [[True] * 3, [False] * 3]


@pytest.mark.parametrize(
    ("kind", "dtype"), [("png8", np.uint8), ("png16", np.uint16), ("tiff", np.uint16), ("pgm", np.uint8)]
)
def test_picture_files_are_taken_as_they_are(tmp_path: Path, kind: str, dtype: type) -> None:
    values = np.random.default_rng(1).integers(0, np.iinfo(dtype).max, (20, 30)).astype(dtype)
    path = tmp_path / f"x.{kind.rstrip('0123456789')}"
    Image.fromarray(values).save(path)
    found = decode(path, pixel_format=kind)
    assert np.array_equal(found.pixels, values) and found.info.bits_stored == np.iinfo(dtype).bits


def test_a_grey_jpeg_is_read_with_its_loss_and_one_in_colour_is_refused(tmp_path: Path) -> None:
    values = np.tile(np.linspace(0, 255, 64).astype(np.uint8), (48, 1))
    Image.fromarray(values).save(tmp_path / "grey.jpg", quality=95)
    Image.fromarray(np.stack([values] * 3, axis=-1)).save(tmp_path / "equal.jpg", quality=95)
    for name in ("grey.jpg", "equal.jpg"):
        found = decode(tmp_path / name, pixel_format="jpeg")
        assert found.info.bits_stored == 8 and np.abs(found.pixels - values).max() <= 6
    Image.fromarray(np.stack([values, values[:, ::-1], values], axis=-1)).save(tmp_path / "colour.jpg")
    with pytest.raises(PixelError, match="syntax_unreadable"):
        decode(tmp_path / "colour.jpg", pixel_format="jpeg")


def test_a_dark_is_dense_film_is_inverted_by_what_its_row_says(tmp_path: Path) -> None:
    values = np.arange(60, dtype=np.uint8).reshape(6, 10)
    Image.fromarray(values).save(tmp_path / "x.png")
    given = PixelInfo(rows=6, cols=10, photometric="MONOCHROME1", presentation="film")
    assert np.array_equal(decode(tmp_path / "x.png", pixel_format="png8", given=given).pixels, 255.0 - values)


def test_a_picture_in_colour_is_refused(tmp_path: Path) -> None:
    Image.fromarray(np.random.default_rng(1).integers(0, 255, (9, 9, 3)).astype(np.uint8)).save(tmp_path / "x.png")
    with pytest.raises(PixelError, match="syntax_unreadable"):
        decode(tmp_path / "x.png", pixel_format="png8")
