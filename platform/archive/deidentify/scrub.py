"""Text that may stay, and the search for a person's own words in it."""

import re
import unicodedata
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
#: From here on a word counts wherever its letters stand; a shorter one only where it stands alone ("Lee", not "sleek").
_LONG = 4
#: Words of placeholders and of views: they are nobody's, and occur in harmless text.
_COMMON = frozenset({
    "test", "anon", "anonymous", "unknown", "hospital", "clinic", "mammo", "mammography", "breast", "none", "na", "dr",
    "cc", "mlo", "ml", "lm", "mg", "left", "right",
})  # fmt: skip
#: How German, Danish and others write their letters where there is ASCII alone.
_DIGRAPHS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "å": "aa", "æ": "ae", "ø": "oe"})


def words_of(dataset: Dataset) -> set[str]:
    """What names this person: parts of names, numbers, dates; in lower case, also as ASCII writes them."""
    words: set[str] = set()
    for element in walk(dataset):
        if element.VR == "PN" or element.keyword in _IDENTIFIERS:
            for text in _texts(element):
                parts = re.split(r"[\s^=\\,;]+", text) if element.VR == "PN" else [text]
                words.update(form for part in parts for form in _forms(part.strip().lower()))
    return {word for word in words if len(word) > 1 or not word.isascii()} - _COMMON - {""}


def _forms(word: str) -> set[str]:
    """`müller`, `mueller`, `muller`."""
    plain = "".join(letter for letter in unicodedata.normalize("NFKD", word) if not unicodedata.combining(letter))
    return {word, word.translate(_DIGRAPHS), plain}


def names_somebody(element: DataElement, words: Iterable[str]) -> bool:
    """Whether a text that would stay holds one of these words.

    Short words are looked for in free text alone: two letters are a code of DICOM more often than somebody's name.
    """
    found = " ".join(_texts(element)).lower()
    alone = set(re.findall(r"\w+", found)) if element.VR in FREE_TEXT else set()
    return any(word in found if _counts_anywhere(word) else word in alone for word in words)


def _counts_anywhere(word: str) -> bool:
    # Chinese, Japanese and Korean names have two letters or three, and no space around them.
    return len(word) >= (_LONG if word.isascii() else 2)


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
