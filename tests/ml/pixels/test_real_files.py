"""The real files beside the clone: which can be decoded, and what is said of the others."""

from pathlib import Path

import numpy as np
import pytest

from ml.pixels.decode import decode
from ml.pixels.errors import PixelError
from ml.pixels.prepare import PixelsConfig, prepare

READ = {
    "ge_r_mlo_forpresentation_jpegll.dcm": ((3062, 2394), 3471),
    "stereo_l_cc_outofbounds_overlay.dcm": ((788, 1318), 4091),
    "pixelspacing_testpattern_8bit.dcm": ((512, 512), 255),
    "ge_seno1_l_cc_forpresentation_1x2.dcm": ((1, 2), 2322),
    "not_mg_ddsm_film_l_mlo_rg_j2k_lossy.dcm": ((4664, 3064), 4095),
    "not_mg_ddsm_film_l_mlo_rg_jpegext12_lossy.dcm": ((4664, 3064), 4095),
}
REFUSED = {
    "hologic_dbt_4frames_j2k.dcm": "multiframe_unsupported",
    "hologic_sc_flatfield_mono1.dcm": "no_pixel_data",
    "not_mg_hologic_dose_report_sr.dcm": "no_pixel_data",
    "truncated_copy_of_ge_r_mlo.dcm": "pixel_data_truncated",
}


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", READ)
def test_real_files_decode(shared_data: Path, name: str) -> None:
    found = decode(shared_data / "mg-dicom" / name)
    shape, highest = READ[name]
    assert found.pixels.shape == shape and found.pixels.max() == highest and found.pixels.dtype == np.float32


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", REFUSED)
def test_real_files_that_cannot_be_used_are_refused_with_their_code(shared_data: Path, name: str) -> None:
    with pytest.raises(PixelError) as caught:
        decode(shared_data / "mg-dicom" / name)
    assert caught.value.code == REFUSED[name]


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_real_right_breast_is_masked_and_turned(shared_data: Path) -> None:
    found = prepare(decode(shared_data / "mg-dicom" / "ge_r_mlo_forpresentation_jpegll.dcm"), PixelsConfig())
    assert found.flags == () and found.affine[0, 0] < 0
    left, right = found.mask[:, :20].mean(), found.mask[:, -20:].mean()
    assert left > 0.8 > 0.3 > right
    assert found.mm_per_px == pytest.approx(0.2)


def test_films_are_masked_and_their_chest_wall_comes_to_the_left(shared_data: Path) -> None:
    folder = shared_data / "mini-mias" / "images"
    names = [f"mdb{number:03d}.png" for number in (1, 2, 5, 6, 13, 14, 31, 32)]
    for name in names:
        found = prepare(decode(folder / name, pixel_format="png8"), PixelsConfig(target_spacing_mm=0.8),
                        spacing_mm=(0.2, 0.2))  # fmt: skip
        assert found.flags == (), name
        # As stored, the chest wall is on the right of the odd images and on the left of the even ones.
        assert (found.affine[0, 0] < 0) == bool(int(name[3:6]) % 2), name
