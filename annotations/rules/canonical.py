"""One way to write a document down, so that browser and server can compare hashes.

Source: RFC 8785 (JSON Canonicalization Scheme): keys sorted, no white space, numbers as ECMAScript writes them.
"""

import hashlib
import json
import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any


@dataclass(frozen=True)
class Receipt:
    """What the server stored: how many findings and marks, and the SHA-256 of the canonical document."""

    findings: int
    marks: int
    sha256: str


def receipt_of(document: dict[str, Any]) -> Receipt:
    """Count and hash of a valid document."""
    findings = document["findings"].values()
    return Receipt(
        findings=len(findings),
        marks=sum(len(finding["marks"]) for finding in findings),
        sha256=hashlib.sha256(canonical_json(document).encode()).hexdigest(),
    )


def canonical_json(value: Any) -> str:
    """A JSON value in canonical form. Numbers must be finite; strings must be Unicode without lone surrogates."""
    match value:
        case None | bool() | str():
            return json.dumps(value, ensure_ascii=False)
        case int() | float():
            return _number(value)
        case list():
            return "[" + ",".join(canonical_json(item) for item in value) + "]"
        case dict():
            # The scheme sorts by UTF-16 code units, which is not the order of code points beyond U+FFFF.
            keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
            return "{" + ",".join(f"{canonical_json(key)}:{canonical_json(value[key])}" for key in keys) + "}"
    raise TypeError(f"{type(value).__name__} is no JSON value")


def _number(value: int | float) -> str:
    """A number as ECMAScript's Number::toString writes the nearest float64 (ECMA-262, 6.1.6.1.20)."""
    number = float(value)
    assert math.isfinite(number), "a document holds finite numbers only"
    if number == 0:
        return "0"
    # repr gives the shortest digits that read back to the same float64, as ECMAScript does; only the layout differs.
    sign, digit_tuple, exponent = Decimal(repr(number)).normalize().as_tuple()
    digits = "".join(map(str, digit_tuple))
    assert isinstance(exponent, int)
    return ("-" if sign else "") + _layout(digits, point=len(digits) + exponent)


def _layout(digits: str, *, point: int) -> str:
    """Digits with the decimal point after the first `point` of them, in ECMAScript's choice of notation."""
    if len(digits) <= point <= 21:
        return digits + "0" * (point - len(digits))
    if 0 < point <= 21:
        return f"{digits[:point]}.{digits[point:]}"
    if -6 < point <= 0:
        return f"0.{'0' * -point}{digits}"
    mantissa = digits if len(digits) == 1 else f"{digits[0]}.{digits[1:]}"
    return f"{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"
