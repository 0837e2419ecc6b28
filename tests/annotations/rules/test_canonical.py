"""A document has one canonical form, whatever a database or a browser makes of its numbers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotations.lexicon import empty_document
from annotations.rules import canonical_json, receipt_of

# RFC 8785, appendix B: an IEEE 754 number in hex, and how it is written.
NUMBERS = [
    (0.0, "0"),
    (-0.0, "0"),
    (5e-324, "5e-324"),
    (1.7976931348623157e308, "1.7976931348623157e+308"),
    (9007199254740992.0, "9007199254740992"),
    (295147905179352830000.0, "295147905179352830000"),
    (9.999999999999997e22, "9.999999999999997e+22"),
    (1e23, "1e+23"),
    (1.0000000000000001e23, "1.0000000000000001e+23"),
    (999999999999999700000.0, "999999999999999700000"),
    (333333333.3333332, "333333333.3333332"),
    (0.000001, "0.000001"),
    (1e-7, "1e-7"),
    (-0.0000033333333333333333, "-0.0000033333333333333333"),
    (1424953923781206.2, "1424953923781206.2"),
    (12, "12"),
    (12.0, "12"),
    (0.5, "0.5"),
]


@pytest.mark.parametrize(("number", "text"), NUMBERS)
def test_a_number_is_written_as_a_browser_writes_it(number, text):
    assert canonical_json(number) == text


def test_keys_are_sorted_by_their_utf_16_units():
    # U+1F600 is a surrogate pair (D83D ...), which sorts before U+FB33.
    assert canonical_json({"\ufb33": 1, "\U0001f600": 2, "a": 3}) == '{"a":3,"\U0001f600":2,"\ufb33":1}'


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_canonical_number_reads_back_to_the_same_float64(number):
    assert float(json.loads(canonical_json(number))) == number


def test_a_receipt_counts_findings_and_marks_and_does_not_depend_on_the_order_of_keys():
    document = empty_document()
    document["findings"] = {"f1": {"marks": {"m1": {"x": 1.0}, "m2": {}}}, "f2": {"marks": {}}}
    turned = dict(reversed(list(document.items())))
    turned["findings"] = {"f2": {"marks": {}}, "f1": {"marks": {"m2": {}, "m1": {"x": 1}}}}
    receipt = receipt_of(document)
    assert (receipt.findings, receipt.marks) == (2, 2)
    assert receipt == receipt_of(turned)
