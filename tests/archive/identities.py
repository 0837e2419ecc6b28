"""People who do not exist, planted in every corner of a delivery, and the search for what is left of them."""

import base64
import html
import io
import json
import zipfile
from collections.abc import Callable, Iterable
from urllib.parse import quote

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from tests.archive.factories import a_code, a_mammogram

IDENTITIES = {
    "PatientName": "Müller-Lüdenscheidt^Annegret",
    "OtherPatientNames": "Иванова^Мария",
    "PatientBirthName": "山田^花子",
    "PatientMotherBirthName": "Παπαδοπούλου^Ελένη",
    "ReferringPhysicianName": "김^철수",
    "PerformingPhysicianName": "O'Shaughnessy^Fionnuala",
    "OperatorsName": "Wiśniewska^Zofia",
    "NameOfPhysiciansReadingStudy": "محمد^أحمد",
    "RequestingPhysician": "Bjørnstad^Åse",
    "ResponsiblePerson": "Guardian^Gertrude",
    "PatientID": "KHX-4711-0815",
    "OtherPatientIDs": "NHS9434765919",
    "AccessionNumber": "AZ20230405-77",
    "StudyID": "STUDY-ZX81",
    "PatientBirthDate": "19371119",
    "PatientAddress": "Rosenweg 17, Hintertupfing",
    "PatientTelephoneNumbers": "+49-171-5550123",
    "InstitutionName": "St. Elsewhere Hospital",
    "InstitutionAddress": "1 Infinity Loop",
    "InstitutionalDepartmentName": "Radiology Ward Nine",
    "StationName": "ELSEWHERE_MG_2",
    "StudyDescription": "Screening Frau Sonnenschein",
    "SeriesDescription": "repeat for Mrs Moonbeam",
    "ImageComments": "biopsy of Mr Starlight",
    "PatientComments": "prefers to be called Lilo",
    "RequestedProcedureDescription": "ask Dr Thunderbolt",
    "ProtocolName": "Protocol Raincloud",
    "MilitaryRank": "Feldmarschall",
    "AdditionalPatientHistory": "sister of Brunhilde",
    "MedicalRecordLocator": "Cellar shelf Rübezahl",
}
PRIVATE, NESTED, IN_CODE = "Geheimrat Zwiebel", "Nested^Nightingale", "Quasimodo"
FOLDER, FILE_NAME, ZIP_NAME, MEMBER = "Frau_Abendroth", "Kowalczyk_Hanna.dcm", "Rossi_Giulia.zip", "Björk_Sólveig.dcm"
STUDY_DATE = "20230405"

#: How names are written by those who know no UTF-8, or write two bytes a letter.
CHARSETS = ("utf-8", "utf-16-le", "utf-16-be", "latin-1", "cp1250", "iso-8859-5", "iso-8859-6", "iso-8859-7",
            "shift_jis", "iso2022_jp", "euc_kr")  # fmt: skip
#: How programs write what is not plain ASCII: as it is, in JSON, in Python, in addresses, in pages.
WRITTEN: tuple[Callable[[str], str], ...] = (
    str, lambda word: json.dumps(word)[1:-1], lambda word: word.encode("unicode_escape").decode(), quote, html.escape,
)  # fmt: skip
#: Shorter byte strings come about by chance in compressed pixels.
SHORTEST = 5


def words() -> list[str]:
    """Every planted identity, whole and in its parts."""
    found = [*IDENTITIES.values(), PRIVATE, NESTED, IN_CODE, STUDY_DATE, "2023-04-05", "1937-11-19"]
    found += ["Kowalczyk", "Rossi_Giulia", "Giulia", "Abendroth", "Björk", "Sólveig", "Moonbeam", "Sonnenschein"]
    found += ["Starlight", "Zwiebel", "Rübezahl", "Thunderbolt", "Raincloud", "Brunhilde", "Hintertupfing"]
    return found + [part for text in IDENTITIES.values() if "^" in text for part in text.split("^")]


def spellings(word: str) -> set[bytes]:
    """The byte strings by which a word can be left somewhere, as it was written or in lower case."""
    texts = {written(form) for form in (word, word.lower()) for written in WRITTEN}
    texts |= {text.replace("\\", "\\\\").replace("'", "\\'") for text in texts}
    found = {text.encode() for text in texts} | {text.lower().encode() for text in texts}
    for charset in CHARSETS:
        try:
            found.add(word.encode(charset))
        except UnicodeEncodeError:
            continue
    for skipped in range(3):  # base64 has three spellings, by where the word begins; what its edges share is left out
        coded = base64.b64encode(b"\0" * skipped + word.encode()).decode().rstrip("=")
        found.add(coded[(0, 2, 3)[skipped] : -1].encode())
    return {spelling for spelling in found if len(spelling) >= SHORTEST}


def unpacked(content: bytes) -> bytes:
    """The bytes, and where they are a zip those of its members and their names, however deep."""
    if not zipfile.is_zipfile(io.BytesIO(content)):
        return content
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        members = [unpacked(opened.read(name)) for name in opened.namelist()]
        return b"\n".join([content, *(name.encode() for name in opened.namelist()), *members])


def left_in(pieces: Iterable[bytes]) -> set[str]:
    """Which of the planted words are in the bytes, whatever they are wrapped in."""
    content = b"\n".join(unpacked(piece) for piece in pieces)
    content += b"\n" + content.lower()
    return {word for word in words() if any(spelling in content for spelling in spellings(word))}


def planted(**more: object) -> Dataset:
    """A mammogram with a person in every corner of its header."""
    ds = a_mammogram(SpecificCharacterSet="ISO_IR 192", **IDENTITIES)
    ds.private_block(0x0009, "ACME PRIVATE", create=True).add_new(1, "LO", PRIVATE)
    ds.add_new(0x00091099, "UN", PRIVATE.encode())
    inner = Dataset()
    inner.PersonName, inner.PatientID = NESTED, IDENTITIES["PatientID"]
    ds.RequestAttributesSequence = Sequence([inner])
    ds.PatientInsurancePlanCodeSequence = Sequence([a_code("1", "99ACME", IN_CODE)])
    ds.ViewCodeSequence[0].ViewModifierCodeSequence = Sequence([a_code("R-102D6", "SRT", "Magnification")])
    ds.ViewCodeSequence[0].ViewModifierCodeSequence[0].add_new(0x00091001, "LO", PRIVATE)
    ds.ViewCodeSequence[0].PersonName = NESTED
    # Attributes that the standard's table does not name, filled by careless hands.
    ds.ManufacturerModelName = f"Mammo of {IDENTITIES['PatientID']}"
    ds.FilterMaterial = "SILVER"
    ds.ExposureControlModeDescription = IN_CODE
    ds.DetectorDescription = IN_CODE
    ds.WindowCenterWidthExplanation = ["NORMAL", f"for {IDENTITIES['PatientName'].partition('^')[0]}"]
    ds.DigitalSignaturesSequence = Sequence([inner])
    ds.add_new(0x60003000, "OW", PRIVATE.encode())
    ds.add_new(0x60004000, "LT", PRIVATE)
    ds.preamble = IDENTITIES["PatientID"].encode().ljust(128, b"\0")
    for name, value in more.items():
        setattr(ds, name, value)
    return ds


def planted_in(charset: str, **said: str) -> Dataset:
    """A mammogram whose names are written in another character set of DICOM."""
    return a_mammogram(SpecificCharacterSet=charset, **{"PatientID": IDENTITIES["PatientID"], **said})
