"""The table that this software carries against the standard, written down here by hand for what matters most.

Source: DICOM PS3.15, Table E.1-1, column "Basic Prof."; options E.3.6 (dates), E.3.7 (patient), E.3.8 (device).
"""

import pytest
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.uid import generate_uid

from archive.deidentify import Identity, deidentify, keys, table
from tests.archive.factories import a_mammogram

#: (attribute, action of the Basic Profile, what is done here: the option in use, else one of the profile's letters).
#: "-" is an attribute that the table does not name, because it identifies nobody.
STANDARD = [
    # patient
    ("PatientName", "Z", "Z"), ("PatientID", "Z/D", "D"), ("PatientBirthDate", "Z", "Z"), ("PatientSex", "Z", "K"),
    ("PatientAge", "X", "K"), ("PatientAddress", "X", "X"), ("PatientTelephoneNumbers", "X", "X"),
    ("OtherPatientIDs", "X", "X"), ("OtherPatientNames", "X", "X"), ("EthnicGroup", "X", "X"),
    ("PatientMotherBirthName", "X", "X"), ("MilitaryRank", "X", "X"), ("AdditionalPatientHistory", "X", "X"),
    ("PatientComments", "X", "X"), ("Allergies", "X", "X"),
    # numbers of the order
    ("AccessionNumber", "Z", "Z"), ("StudyID", "Z", "Z"), ("AdmissionID", "X", "X"),
    ("RequestAttributesSequence", "X", "X"), ("PerformedProcedureStepID", "X", "X"),
    # institution and people
    ("InstitutionName", "X/Z/D", "D"), ("InstitutionAddress", "X", "X"), ("InstitutionalDepartmentName", "X", "X"),
    ("StationName", "X/Z/D", "D"), ("ReferringPhysicianName", "Z", "Z"), ("PerformingPhysicianName", "X", "X"),
    ("OperatorsName", "X/Z/D", "D"), ("PhysiciansOfRecord", "X", "X"), ("NameOfPhysiciansReadingStudy", "X", "X"),
    ("RequestingPhysician", "X", "X"),
    # dates and times
    ("StudyDate", "Z", "C"), ("StudyTime", "Z", "Z"), ("SeriesDate", "X/D", "C"), ("ContentDate", "Z/D", "C"),
    ("AcquisitionDate", "X/Z", "C"), ("TimezoneOffsetFromUTC", "X", "X"),
    # UIDs
    ("SOPInstanceUID", "U", "U"), ("StudyInstanceUID", "U", "U"), ("SeriesInstanceUID", "U", "U"),
    ("FrameOfReferenceUID", "U", "U"), ("ReferencedSOPInstanceUID", "U", "U"),
    # free text
    ("StudyDescription", "X", "X"), ("SeriesDescription", "X", "X"), ("ProtocolName", "X/D", "D"),
    ("ImageComments", "X", "X"), ("DerivationDescription", "X", "X"),
    # device
    ("DeviceSerialNumber", "X/Z/D", "K"), ("DetectorID", "X/D", "K"), ("PlateID", "X", "K"),
    ("Manufacturer", "-", "-"), ("ManufacturerModelName", "-", "-"),
    # what hides things
    ("DigitalSignaturesSequence", "X", "X"), ("IconImageSequence", "X", "X"),
    ("OriginalAttributesSequence", "X", "X"), ("BurnedInAnnotation", "-", "-"), ("PixelData", "-", "-"),
]  # fmt: skip


@pytest.mark.parametrize(("keyword", "basic", "here"), STANDARD, ids=[row[0] for row in STANDARD])
def test_the_table_says_what_the_standard_says(keyword: str, basic: str, here: str) -> None:
    rule = table.rule_of(tag_for_keyword(keyword) or 0)
    assert (rule.basic, rule.action) == (basic, here) if rule else basic == "-"
    assert here in (*basic.split("/"), "K", "C")


@pytest.mark.parametrize("group", [0x5000, 0x5002, 0x501E])
def test_curves_are_removed_in_every_group(group: int) -> None:
    assert all((rule := table.rule_of(group << 16 | element)) and rule.action == "X" for element in (0x0005, 0x3000))


@pytest.mark.parametrize("group", [0x6000, 0x6002, 0x601E])
def test_overlays_lose_their_pixels_and_their_comments_in_every_group(group: int) -> None:
    assert all((rule := table.rule_of(group << 16 | element)) and rule.action == "X" for element in (0x3000, 0x4000))


def test_every_action_is_carried_out_on_a_real_dataset() -> None:
    """One dataset with a value in each of them: gone, empty, a dummy, another UID, moved, or as it was."""
    said = a_mammogram()
    for keyword, _, _ in STANDARD:
        if keyword not in said:
            setattr(said, keyword, _something(keyword))
    said.private_block(0x0041, "ACME", create=True).add_new(1, "LO", "private")
    said.add_new(0x50003000, "OW", b"curve ")
    said.add_new(0x60003000, "OW", b"overlay ")
    before = {keyword: said[keyword].value for keyword, _, _ in STANDARD}
    deidentify(said, Identity("P-1", keys.shift_of("P-1")))
    assert not any(element.tag.is_private or element.tag.group >> 8 in (0x50, 0x60) for element in said)
    wrong = {k: said.get(k) for k, _, here in STANDARD if not _as_said(k, here, before[k], said)}
    assert wrong == {}


def _something(keyword: str) -> object:
    if keyword.endswith("Sequence"):
        item = Dataset()
        item.PatientID = "HOSP-4711"
        return [item]
    if keyword.endswith("UID"):
        return generate_uid()
    kinds = {"Date": "20230405", "Time": "101112", "Age": "062Y", "UTC": "+0100", "BurnedInAnnotation": "NO"}
    return next((value for end, value in kinds.items() if keyword.endswith(end)), f"{keyword[:12]}")


def _as_said(keyword: str, here: str, before: object, after: Dataset) -> bool:
    if keyword in ("PatientName", "PatientID"):  # the pseudonym takes the place of the empty or dummy value
        return str(after[keyword].value) == "P-1"
    value = after[keyword].value if keyword in after else None
    match here:
        case "X":
            return keyword not in after
        case "Z":
            return keyword in after and not value
        case "K" | "-":
            return value == before
        case _:  # D, U, C: there, and another
            return bool(value) and value != before
