"""Text that may stay, and the search for a person's own words in it."""

import re
from collections.abc import Iterable, Iterator

from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

#: Free text outside the table: only these attributes keep it, as they describe a device or a code, never a person.
KEPT_TEXT = frozenset({
    "Manufacturer", "ManufacturerModelName", "SoftwareVersions", "CodeValue", "LongCodeValue", "CodeMeaning",
    "CodingSchemeDesignator", "CodingSchemeVersion", "WindowCenterWidthExplanation", "LUTExplanation", "RescaleType",
    "ModalityLUTType", "AcquisitionDeviceProcessingCode", "GridAbsorbingMaterial", "GridSpacingMaterial",
    "TypeOfFilters", "ViewName", "PaddleDescription", "SpecificCharacterSet",
})  # fmt: skip
FREE_TEXT = frozenset({"LO", "SH", "ST", "LT", "UT", "UC", "UR", "AE", "PN"})
#: Text in which a person's words are looked for: free text, and codes that a careless system filled by hand.
SEARCHED = FREE_TEXT | {"CS"}
#: Bulk data outside the table: only these keep it. Anything may hide in other bytes.
BULK = frozenset({"OB", "OW", "OD", "OF", "OL", "OV", "UN"})
KEPT_BULK = frozenset({"PixelData", "LUTData", "ExtendedOffsetTable", "ExtendedOffsetTableLengths"})

_IDENTIFIERS = frozenset({
    "PatientID", "OtherPatientIDs", "AccessionNumber", "PatientBirthDate", "PatientAddress", "PatientTelephoneNumbers",
    "MedicalRecordLocator", "AdmissionID", "StudyID", "RequestedProcedureID", "PatientInsurancePlanCodeSequence",
    "PatientMotherBirthName", "PatientBirthName", "OtherPatientNames", "FillerOrderNumberImagingServiceRequest",
    "PlacerOrderNumberImagingServiceRequest", "InstitutionName", "InstitutionAddress",
})  # fmt: skip
_SHORTEST = 4
#: Words of placeholders: they are nobody's, and occur in harmless text.
_COMMON = frozenset({"test", "anon", "anonymous", "unknown", "hospital", "clinic", "mammo", "mammography", "breast"})


def words_of(dataset: Dataset) -> set[str]:
    """What names this person: parts of names, numbers, dates; lower case, four letters and more."""
    words: set[str] = set()
    for element in walk(dataset):
        if element.VR == "PN" or element.keyword in _IDENTIFIERS:
            for text in _texts(element):
                parts = re.split(r"[\s^=\\,;]+", text) if element.VR == "PN" else [text]
                words.update(part.strip().lower() for part in parts)
    return {word for word in words if len(word) >= _SHORTEST} - _COMMON


def names_somebody(element: DataElement, words: Iterable[str]) -> bool:
    """Whether a text that would stay holds one of these words."""
    found = " ".join(_texts(element)).lower()
    return any(word in found for word in words)


def walk(dataset: Dataset) -> Iterator[DataElement]:
    """Every element, those inside sequences too."""
    for element in dataset:
        if element.VR == "SQ":
            for item in element.value or []:
                yield from walk(item)
        else:
            yield element


def _texts(element: DataElement) -> list[str]:
    if element.value is None:
        return []
    values = element.value if element.VM > 1 else [element.value]
    return [str(value) for value in values]
