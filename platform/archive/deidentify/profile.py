"""The Basic Profile applied: a file with a person in it becomes one without.

Source: DICOM PS3.15, E.1 to E.3. What the table does not name is kept only where it can hold no words of people:
private attributes, unknown attributes, free text and bulk data outside short lists of `scrub` go.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from pydicom.datadict import dictionary_has_tag
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.sequence import Sequence
from pydicom.uid import UID

from archive.deidentify import keys, scrub
from archive.deidentify.table import EDITION, OPTIONS, rule_of

_STANDARD_UIDS = "1.2.840.10008."
_RETAIN_UIDS = "113110"
_CODES = {
    "113100": "Basic Application Confidentiality Profile",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
    "113109": "Retain Device Identity Option",
    "113110": "Retain UIDs Option",
}
_DUMMY_TEXT = "REMOVED"
_DUMMIES = {"DA": "19000101", "TM": "000000", "DT": "19000101000000", "PN": "REMOVED", "AS": "000Y", "IS": "0",
            "DS": "0"}  # fmt: skip
_TEXT = frozenset({"LO", "SH", "ST", "LT", "UT", "UC", "CS", "AE"})


@dataclass(frozen=True)
class Identity:
    """Who a patient is here. `keep_uids` is for public sets, whose UIDs identify nobody."""

    pseudonym: str
    shift: timedelta
    keep_uids: bool = False


@dataclass
class _Pass:
    identity: Identity
    words: Iterable[str]
    used: set[str] = field(default_factory=set)

    def clean(self, dataset: Dataset) -> None:
        for tag in list(dataset.keys()):
            if tag.is_private or tag.group % 2 or not self._stays(dataset[tag]):
                del dataset[tag]

    def _stays(self, element: DataElement) -> bool:
        """Treat one element in place; whether it stays."""
        rule = rule_of(int(element.tag))
        if rule is None:
            return self._unlisted(element)
        if rule.option is not None:
            self.used.add(rule.option[0])
        match rule.action:
            case "K":
                return self._unlisted(element, listed=True)
            case "C":
                return self._moved(element)
            case "U":
                return self._keyed(element)
            case "Z":
                element.value = Sequence() if element.VR == "SQ" else None
                return True
            case "D":
                return self._dummy(element)
        return False

    def _unlisted(self, element: DataElement, *, listed: bool = False) -> bool:
        """What the table does not name, or an option keeps."""
        if element.VR == "SQ":
            for item in element.value or []:
                self.clean(item)
            return True
        if element.VR == "UI":
            return self._keyed(element)
        if element.VR in scrub.BULK:
            return element.keyword in scrub.KEPT_BULK
        if element.VR in ("DA", "DT", "TM") or not dictionary_has_tag(element.tag):
            return False
        if element.VR in scrub.FREE_TEXT and not listed and element.keyword not in scrub.KEPT_TEXT:
            return False
        return element.VR not in scrub.SEARCHED or not scrub.names_somebody(element, self.words)

    def _moved(self, element: DataElement) -> bool:
        value = keys.shifted(str(element.value or ""), self.identity.shift)
        element.value = value or None
        return True

    def _keyed(self, element: DataElement) -> bool:
        if element.VR == "SQ":
            for item in element.value or []:
                self.clean(item)
            return True
        if element.VR != "UI":
            return False
        values = element.value if isinstance(element.value, MultiValue | list) else [element.value]
        fresh = [self._uid(str(uid)) for uid in values if uid]
        element.value = fresh if len(fresh) > 1 else (fresh[0] if fresh else None)
        return True

    def _uid(self, uid: str) -> UID:
        keep = self.identity.keep_uids or uid.startswith(_STANDARD_UIDS)
        return UID(uid if keep else keys.keyed_uid(uid))

    def _dummy(self, element: DataElement) -> bool:
        if element.VR == "SQ" or element.VR in scrub.BULK:
            return False
        if not element.value:
            element.value = None
            return True
        dummy = _DUMMIES.get(element.VR) or (_DUMMY_TEXT if element.VR in _TEXT else None)
        element.value = dummy
        return dummy is not None


def deidentify(dataset: Dataset, identity: Identity) -> None:
    """Take the person out of a dataset, in place. Afterwards all text is UTF-8."""
    age = age_years(dataset)
    dataset.decode()
    work = _Pass(identity, scrub.words_of(dataset))
    work.clean(dataset)
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.PatientName = identity.pseudonym
    dataset.PatientID = identity.pseudonym
    dataset.PatientBirthDate = None
    if age is not None:
        dataset.PatientAge = f"{age:03d}Y"
    elif "PatientAge" in dataset:
        del dataset.PatientAge
    _say_so(dataset, work.used, keep_uids=identity.keep_uids)


def _say_so(dataset: Dataset, used: set[str], *, keep_uids: bool) -> None:
    dataset.PatientIdentityRemoved = "YES"
    dataset.LongitudinalTemporalInformationModified = "MODIFIED"
    dataset.DeidentificationMethod = f"PS3.15 {EDITION} Table E.1-1, Basic Profile"
    codes = ["113100", "113107", *sorted(OPTIONS[name] for name in used - {"dates"})]
    dataset.DeidentificationMethodCodeSequence = Sequence([_code(code) for code in codes + [_RETAIN_UIDS] * keep_uids])


def _code(value: str) -> Dataset:
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", _CODES[value]
    return code


OLDEST = 90
_PER_YEAR = {"Y": 1, "M": 12, "W": 52, "D": 365}


def age_years(dataset: Dataset) -> int | None:
    """Whole years: Patient's Age (0010,1010), else from the dates of birth and study; 90 and older are 90."""
    years = _said_age(str(dataset.get("PatientAge") or "")) or _age_by_dates(dataset)
    # A birth date of zeros or an age of none is how systems write "not known"; nobody of that age is imaged.
    return min(years, OLDEST) if years is not None and 0 < years < 130 else None


def _said_age(text: str) -> int | None:
    if len(text) != 4 or not text[:3].isdecimal() or text[3] not in _PER_YEAR:
        return None
    return int(text[:3]) // _PER_YEAR[text[3]] or None


def _age_by_dates(dataset: Dataset) -> int | None:
    born, seen = str(dataset.get("PatientBirthDate") or ""), str(dataset.get("StudyDate") or "")
    if len(born) != 8 or len(seen) != 8 or not (born + seen).isdecimal() or born[:4] == "0000":
        return None
    return int(seen[:4]) - int(born[:4]) - (seen[4:] < born[4:])
