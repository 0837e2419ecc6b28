"""The table of PS3.15 as data: which attribute identifies a person, and what becomes of it."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

EDITION = "2024b"
_FILE = Path(__file__).with_name("ps3_15_2024b_table_e1_1.tsv")

#: Options of PS3.15 E.3 that are in use: name in the file -> code of CID 7050.
OPTIONS = {"patient": "113108", "device": "113109", "dates": "113107"}


@dataclass(frozen=True)
class Rule:
    """One row: `basic` is the action of the Basic Profile, `option` (name, action) what replaces it here."""

    keyword: str
    basic: str
    option: tuple[str, str] | None

    @property
    def action(self) -> str:
        """One letter. Where the profile lets the writer choose, what keeps most files valid: a dummy, else empty."""
        if self.option is not None:
            return self.option[1]
        letters = self.basic.rstrip("*").split("/")
        # U before the rest: references between images of an exam stay whole under keyed UIDs.
        return next(letter for letter in "UDZX" if letter in letters)


@cache
def rules() -> tuple[dict[int, Rule], dict[tuple[int, int | None], Rule]]:
    """Rules by tag, and those of repeating groups by (high byte of the group, element or None for all)."""
    exact: dict[int, Rule] = {}
    repeating: dict[tuple[int, int | None], Rule] = {}
    lines = [line for line in _FILE.read_text().splitlines() if not line.startswith("#")]
    for line in lines[1:]:
        tag, keyword, basic, option = line.split("\t")
        name, _, action = option.partition("=")
        rule = Rule(keyword, basic, (name, action) if option else None)
        group, element = tag.split(",")
        if group.endswith("xx"):
            repeating[int(group[:2], 16), None if element == "xxxx" else int(element, 16)] = rule
        else:
            exact[int(group + element, 16)] = rule
    return exact, repeating


def rule_of(tag: int) -> Rule | None:
    """The row that covers a tag; None for an attribute that the standard says does not identify anybody."""
    exact, repeating = rules()
    if (rule := exact.get(tag)) is not None:
        return rule
    group = tag >> 24
    return repeating.get((group, tag & 0xFFFF)) or repeating.get((group, None))
