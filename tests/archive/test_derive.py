"""What the reading room paints is what was stored."""

import json

import imagecodecs
import numpy as np
import pytest
import simplejpeg

from archive import derive, store
from archive.models import Image
from tests.archive.factories import PROCESSING, a_mammogram, breast, delivered

pytestmark = pytest.mark.django_db


def painted(name):
    return derive.file_of(Image.objects.get(), name).read_bytes()


@pytest.mark.trap(15)
@pytest.mark.parametrize("syntax", ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.70"])
def test_the_frame_holds_every_stored_value(project, syntax):
    pixels = breast(130, 111, seed=5)
    delivered(project, [a_mammogram(pixels=pixels, syntax=syntax)])
    frame = imagecodecs.htj2k_decode(painted(derive.FRAME))
    assert frame.dtype == np.uint16 and np.array_equal(frame, pixels)


def test_eight_bits_stay_eight_bits(project):
    pixels = (breast(100, 90) >> 4).astype(np.uint8)
    delivered(project, [a_mammogram(pixels=pixels)])
    frame = imagecodecs.htj2k_decode(painted(derive.FRAME))
    assert frame.dtype == np.uint8 and np.array_equal(frame, pixels)


def test_signed_values_keep_their_sign(project):
    pixels = breast(100, 90).astype(np.int16) - 2000
    delivered(project, [a_mammogram(pixels=pixels, PixelRepresentation=1, BitsStored=16, HighBit=15)])
    assert np.array_equal(imagecodecs.htj2k_decode(painted(derive.FRAME)).astype(np.int16), pixels)


def test_the_frame_is_in_the_order_of_resolutions_with_the_marker_that_its_syntax_asks_for(project):
    delivered(project, [a_mammogram()])
    head = painted(derive.FRAME)[:200]
    cod = head.index(b"\xff\x52")
    assert head[cod + 5] == 2  # RPCL; PS3.5 8.2.14, ISO 15444-1 table A.16
    assert b"\xff\x55" in head  # TLM


def test_the_display_level_is_a_mean_of_squares(project):
    pixels = breast(3100, 1601, seed=1)
    delivered(project, [a_mammogram(pixels=pixels)])
    level = derive.display_level(3100, 1601)
    small = imagecodecs.htj2k_decode(painted(derive.DISPLAY))
    assert level.factor == 3 and small.shape == (level.rows, level.cols) == (1034, 534)
    assert small[10, 20] == np.rint(pixels[30:33, 60:63].mean())


def test_the_thumbnail_is_small_and_bright_where_the_breast_is(project):
    delivered(project, [a_mammogram(pixels=breast(600, 500))])
    grey = simplejpeg.decode_jpeg(painted(derive.THUMBNAIL), colorspace="GRAY")[..., 0]
    assert max(grey.shape) <= derive.THUMBNAIL_SIDE
    middle = grey.shape[0] // 2
    assert grey[middle, 5:20].mean() > grey[:10, -20:].mean() + 50


@pytest.mark.trap(3)
def test_monochrome1_is_inverted_once_in_the_thumbnail_and_not_in_the_frame(project):
    pixels = breast(200, 160)
    delivered(project, [a_mammogram(pixels=4095 - pixels, PhotometricInterpretation="MONOCHROME1")])
    assert np.array_equal(imagecodecs.htj2k_decode(painted(derive.FRAME)), 4095 - pixels)
    grey = simplejpeg.decode_jpeg(painted(derive.THUMBNAIL), colorspace="GRAY")[..., 0]
    assert grey[100, 5:20].mean() > grey[:5, -10:].mean() + 50


def test_deriving_again_writes_nothing(project):
    delivered(project, [a_mammogram()])
    image = Image.objects.get()
    before = {name: derive.file_of(image, name).stat().st_mtime_ns for name in derive.FILES}
    derive.derive(image)
    assert before == {name: derive.file_of(image, name).stat().st_mtime_ns for name in derive.FILES}


def test_a_half_made_derivation_is_finished(project):
    delivered(project, [a_mammogram()])
    image = Image.objects.get()
    derive.file_of(image, derive.DISPLAY).unlink()
    derive.derive(image)
    assert derive.file_of(image, derive.DISPLAY).is_file()


@pytest.mark.trap(6)
@pytest.mark.trap(7)
@pytest.mark.parametrize(
    ("said", "spacing"),
    [
        ({"ImagerPixelSpacing": [0.1, 0.08]}, [0.1, 0.08]),
        ({"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": 2.0}, [0.05, 0.05]),
        ({"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": 0.0}, [0.1, 0.1]),
        ({"ImagerPixelSpacing": None, "PixelSpacing": [0.3, 0.3]}, None),
        ({"ImagerPixelSpacing": None}, None),
    ],
)
def test_the_served_header_has_the_spacing_in_the_breast_or_none(project, said, spacing):
    delivered(project, [a_mammogram(**said)])
    served = json.loads(painted(derive.METADATA)).get("00280030")
    assert (served["Value"] if served else None) == spacing


@pytest.mark.trap(2)
@pytest.mark.trap(4)
def test_windows_are_a_list_and_the_function_a_word_whatever_the_file_says(project):
    one = {"WindowCenter": 100, "WindowWidth": 200, "WindowCenterWidthExplanation": "ONE", "VOILUTFunction": "sigmoid"}
    delivered(project, [a_mammogram(**one)])
    image = Image.objects.get()
    assert image.windows == [{"center": 100.0, "width": 200.0, "explanation": "ONE"}]
    assert image.voi_function == "SIGMOID"


def test_a_processing_image_gets_a_thumbnail_without_its_window(project):
    said = {"SOPClassUID": PROCESSING, "PresentationIntentType": "FOR PROCESSING", "WindowCenter": None,
            "WindowWidth": None, "WindowCenterWidthExplanation": None}  # fmt: skip
    delivered(project, [a_mammogram(**said)])
    assert painted(derive.THUMBNAIL)[:2] == b"\xff\xd8"


def test_an_object_is_on_disk_under_its_hash_and_once(settings):
    first, second = store.put(b"pixels"), store.put(b"pixels")
    assert first == second and store.object_file(first).read_bytes() == b"pixels"
    assert not list(settings.STORE_DIR.rglob("*.part"))


def test_a_failing_write_leaves_nothing_behind(tmp_path):
    def chunks():
        yield b"half"
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        store.write_atomically(tmp_path / "a" / "file", chunks())
    assert not list((tmp_path / "a").iterdir())
