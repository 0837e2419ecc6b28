import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from ml.pixels.header import (
    Window,
    laterality_of,
    orientation_of,
    presentation_of,
    read_info,
    spacing_of,
    view_of,
    voi_function_of,
    windows_of,
)


def a_header(**elements: object) -> Dataset:
    ds = Dataset()
    for name, value in elements.items():
        setattr(ds, name, value)
    return ds


def coded_view(value: str, *modifiers: str) -> Sequence:
    view = a_header(CodeValue=value, CodingSchemeDesignator="SCT")
    view.ViewModifierCodeSequence = Sequence([a_header(CodeValue=m, CodingSchemeDesignator="SCT") for m in modifiers])
    return Sequence([view])


@pytest.mark.trap(12)
@pytest.mark.parametrize(
    ("coded", "position", "view"),
    [
        ("399162004", None, "CC"),
        ("R-10226", None, "MLO"),
        ("R-10242", "MLO", "CC"),
        ("399368009", "FLATFIELD", "MLO"),
        ("unheard-of", "CC", "CC"),
        (None, "mlo ", "MLO"),
        (None, "LMLO", "MLO"),
        (None, "RCC", "CC"),
        (None, "FLATFIELD", None),
        (None, "SIO", "OTHER"),
        ("127457009", None, "OTHER"),
        (None, None, None),
    ],
)
def test_the_coded_view_comes_before_the_view_position(coded: str | None, position: str | None, view: str) -> None:
    ds = a_header(**({"ViewPosition": position} if position else {}))
    if coded:
        ds.ViewCodeSequence = coded_view(coded)
    assert view_of(ds) == view


def test_a_magnified_cc_does_not_hang_as_a_cc() -> None:
    assert view_of(a_header(ViewCodeSequence=coded_view("399162004", "399163009"), ViewPosition="CC")) == "MAG"
    assert view_of(a_header(ViewCodeSequence=coded_view("399162004", "399055006"))) == "SPOT"


def test_the_side_is_the_images_then_the_series_then_the_frames() -> None:
    frame = a_header(FrameAnatomySequence=Sequence([a_header(FrameLaterality="L")]))
    assert laterality_of(a_header(ImageLaterality="R", Laterality="L")) == "R"
    assert laterality_of(a_header(Laterality="L")) == "L"
    assert laterality_of(a_header(SharedFunctionalGroupsSequence=Sequence([frame]))) == "L"
    assert laterality_of(a_header(ImageLaterality="B")) is None
    assert laterality_of(a_header()) is None


@pytest.mark.trap(6)
@pytest.mark.parametrize(
    ("elements", "spacing", "source"),
    [
        ({"ImagerPixelSpacing": [0.1, 0.08]}, (0.1, 0.08), "imager"),
        (
            {"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": "2"},
            (0.05, 0.05),
            "imager",
        ),
        ({"ImagerPixelSpacing": [0.1, 0.1], "EstimatedRadiographicMagnificationFactor": "0"}, (0.1, 0.1), "imager"),
        (
            {"ImagerPixelSpacing": [0.5, 0.5], "PixelSpacing": [0.2, 0.2], "PixelSpacingCalibrationType": "GEOMETRY"},
            (0.2, 0.2),
            "pixel",
        ),
        ({"ImagerPixelSpacing": [0.1, 0.1], "PixelSpacing": [50, 40]}, (0.1, 0.1), "imager"),
        ({"PixelSpacing": [0.2, 0.2]}, None, "unknown"),
        ({"ImagerPixelSpacing": [0, 0]}, None, "unknown"),
        ({}, None, "unknown"),
    ],
)
def test_spacing_is_in_the_breasts_plane_or_unknown(
    elements: dict[str, object], spacing: tuple[float, float] | None, source: str
) -> None:
    assert spacing_of(a_header(**elements))[:2] == (spacing, source)


@pytest.mark.trap(7)
def test_spacing_is_row_then_column() -> None:
    assert read_info(a_header(ImagerPixelSpacing=[0.3, 0.1], Rows=2, Columns=3)).spacing_mm == (0.3, 0.1)


@pytest.mark.trap(4)
def test_windows_are_pairs_and_one_without_a_partner_is_left_out() -> None:
    both = a_header(WindowCenter=[10, 20, 30], WindowWidth=[5, 6], WindowCenterWidthExplanation=["A", "B"])
    assert windows_of(both) == (Window(10, 5, "A"), Window(20, 6, "B"))
    assert windows_of(a_header(WindowCenter="7", WindowWidth="3")) == (Window(7, 3, ""),)
    assert windows_of(a_header(WindowCenter="7", WindowWidth="0")) == ()
    assert windows_of(a_header(WindowCenter="7")) == ()


@pytest.mark.trap(2)
@pytest.mark.parametrize(
    ("written", "known"),
    [("SIGMOID", "SIGMOID"), ("linear exact", "LINEAR_EXACT"), ("LINEAR_EXACT", "LINEAR_EXACT"), ("", "LINEAR")],
)
def test_the_voi_function_has_one_spelling(written: str, known: str) -> None:
    assert voi_function_of(a_header(VOILUTFunction=written)) == known


@pytest.mark.trap(5)
def test_the_intent_is_told_apart_and_film_is_film() -> None:
    assert presentation_of(a_header(PresentationIntentType="FOR PROCESSING")) == "for_processing"
    assert presentation_of(a_header(SOPClassUID="1.2.840.10008.5.1.4.1.1.1.2.1")) == "for_processing"
    assert presentation_of(a_header(SOPClassUID="1.2.840.10008.5.1.4.1.1.1.2")) == "for_presentation"
    assert presentation_of(a_header(PresentationIntentType="FOR PRESENTATION", DetectorType="FILM")) == "film"
    assert presentation_of(a_header()) == "unknown"


def test_an_odd_header_is_read_with_what_it_has() -> None:
    info = read_info(a_header(PatientOrientation="", WindowCenter=None, EstimatedRadiographicMagnificationFactor=None))
    assert info.laterality is None and info.view is None and info.patient_orientation is None
    assert set(info.flags) == {"laterality_unknown", "view_unknown", "spacing_unknown"}
    assert orientation_of(a_header(PatientOrientation=["P", "FL"])) == ("P", "FL")
