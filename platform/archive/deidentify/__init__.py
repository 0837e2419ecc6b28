"""De-identification by the Basic Profile of DICOM PS3.15; the table is a data file that a person can audit."""

from archive.deidentify.keys import exam_label, keyed_uid, pseudonym, shift_of
from archive.deidentify.profile import Identity, age_years, deidentify

__all__ = ["Identity", "age_years", "deidentify", "exam_label", "keyed_uid", "pseudonym", "shift_of"]
