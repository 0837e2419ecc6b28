import contextlib
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, JPEG2000Lossless, JPEGLSLossless, RLELossless

from ml.pixels.decode import decode, open_dataset, stored_values
from ml.pixels.errors import PixelError
from tests.ml.pixels.files import JPEG_EXTENDED, JPEG_LOSSLESS, dicom_of, htj2k_of, wrapped

VALUES = np.random.default_rng(3).integers(0, 4096, (70, 90)).astype(np.uint16)


@pytest.mark.parametrize("syntax", [RLELossless, JPEGLSLossless, JPEG2000Lossless])
def test_lossless_syntaxes_give_back_every_value(syntax: str) -> None:
    ds = dicom_of(VALUES)
    ds.compress(syntax, generate_instance_uid=False)
    assert (stored_values(ds) == VALUES).all()


def test_htj2k_gives_back_every_value() -> None:
    assert (stored_values(htj2k_of(VALUES)) == VALUES).all()


def test_jpeg_lossless_gives_back_every_value() -> None:
    frame = bytes(imagecodecs.ljpeg_encode(VALUES, bitspersample=12))
    assert (stored_values(wrapped(dicom_of(VALUES), JPEG_LOSSLESS, frame)) == VALUES).all()


def test_jpeg_extended_of_twelve_bits_is_read() -> None:
    smooth = (np.add.outer(np.arange(64), np.arange(64)) * 30).astype(np.uint16)
    frame = bytes(imagecodecs.jpeg_encode(smooth, level=99, bitspersample=12))
    found = stored_values(wrapped(dicom_of(smooth), JPEG_EXTENDED, frame))
    assert np.abs(found.astype(int) - smooth).max() <= 8


def test_big_endian_is_turned() -> None:
    ds = dicom_of(VALUES, PixelData=VALUES.astype(">u2").tobytes())
    ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    assert (stored_values(ds) == VALUES).all()


def test_signed_values_keep_their_sign() -> None:
    signed = (VALUES.astype(np.int16) - 2048).astype(np.int16)
    assert (stored_values(dicom_of(signed)) == signed).all()


def test_overlay_bits_above_the_high_bit_are_masked_out() -> None:
    with_overlay = VALUES | np.uint16(0x8000) | (np.uint16(0x1000) * (VALUES % 2)).astype(np.uint16)
    assert (stored_values(dicom_of(with_overlay)) == VALUES).all()


def test_bits_that_do_not_start_at_zero_are_moved_down() -> None:
    assert (stored_values(dicom_of(VALUES << 4, HighBit=15)) == VALUES).all()


def test_three_equal_channels_are_one() -> None:
    grey = (VALUES >> 4).astype(np.uint8)
    three = np.repeat(grey[..., None], 3, axis=2)
    ds = dicom_of(three, bits=8, SamplesPerPixel=3, PhotometricInterpretation="RGB", PlanarConfiguration=0)
    assert (stored_values(ds) == grey).all()
    three[0, 0, 1] ^= 1
    refuse(dicom_of(three, bits=8, SamplesPerPixel=3, PhotometricInterpretation="RGB"), "syntax_unreadable")


def refuse(ds: Dataset, code: str) -> None:
    with pytest.raises(PixelError) as caught:
        stored_values(ds)
    assert caught.value.code == code


def test_a_frame_shorter_than_its_header_says_is_truncated() -> None:
    refuse(dicom_of(VALUES, Rows=71), "pixel_data_truncated")


def test_a_compressed_frame_without_its_end_is_truncated() -> None:
    whole = bytes(imagecodecs.htj2k_encode(VALUES, reversible=True))
    refuse(wrapped(dicom_of(VALUES), "1.2.840.10008.1.2.4.201", whole[: len(whole) // 2]), "pixel_data_truncated")


def test_garbage_in_a_known_syntax_is_unreadable() -> None:
    garbage = b"\xff\xd8" + b"\x00" * 40 + b"\xff\xd9"
    for syntax in (JPEG_EXTENDED, JPEG_LOSSLESS, "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.201"):
        refuse(wrapped(dicom_of(VALUES), syntax, garbage), "syntax_unreadable")


def test_what_a_header_rules_out_has_its_code() -> None:
    refuse(dicom_of(VALUES, NumberOfFrames=4), "multiframe_unsupported")
    refuse(wrapped(dicom_of(VALUES), "1.2.840.10008.1.2.4.100", b"\x00\x00"), "syntax_unreadable")
    empty = dicom_of(VALUES)
    del empty.PixelData
    refuse(empty, "no_pixel_data")


def test_a_frame_of_another_size_than_its_header_is_refused() -> None:
    refuse(htj2k_of(VALUES, Rows=10), "syntax_unreadable")


def test_a_file_cut_in_its_pixels_is_truncated_though_the_reader_raises_nothing(tmp_path: Path) -> None:
    whole = tmp_path / "whole.dcm"
    dicom_of(VALUES).save_as(whole, enforce_file_format=True)
    cut = tmp_path / "cut.dcm"
    cut.write_bytes(whole.read_bytes()[:-500])
    assert open_dataset(whole).Rows == 70
    with pytest.raises(PixelError) as caught:
        stored_values(open_dataset(cut))
    assert caught.value.code == "pixel_data_truncated"


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"\0" * 200, b"\0" * 128 + b"DICM", b"\0" * 128 + b"DICM" + b"\xff" * 99]
)
def test_what_is_no_dicom_file_is_said_to_be_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(PixelError) as caught:
        open_dataset(path)
    assert caught.value.code == "not_dicom"


def damaged(whole: bytes, rng: np.random.Generator) -> bytes:
    """A few bytes changed, most of them in the header, and every fifth time the end cut off."""
    changed = bytearray(whole)
    for _ in range(rng.integers(1, 6)):
        last = 900 if rng.random() < 0.8 else len(changed)
        changed[rng.integers(128, min(last, len(changed)))] = rng.integers(0, 256)
    return bytes(changed[: rng.integers(100, len(changed))] if rng.random() < 0.2 else changed)


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("syntax", [None, RLELossless, JPEG2000Lossless, "htj2k"])
def test_a_damaged_file_has_a_code_and_never_another_error(tmp_path: Path, syntax: str | None) -> None:
    header = {"PatientOrientation": ["A", "F"], "ImagerPixelSpacing": [0.1, 0.1], "RescaleSlope": 1}
    header |= {"WindowCenter": [1, 2], "WindowWidth": [3, 4], "ViewPosition": "CC", "PixelPaddingValue": 0}
    ds = htj2k_of(VALUES, **header) if syntax == "htj2k" else dicom_of(VALUES, **header)
    if syntax and syntax != "htj2k":
        ds.compress(syntax, generate_instance_uid=False)
    path = tmp_path / "x.dcm"
    ds.save_as(path, enforce_file_format=True)
    whole, rng = path.read_bytes(), np.random.default_rng(5)
    read = 0
    for _ in range(120):
        path.write_bytes(damaged(whole, rng))
        with contextlib.suppress(PixelError):
            assert decode(path).pixels.ndim == 2
            read += 1
    assert 10 < read < 115
