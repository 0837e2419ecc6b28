"""What a reading's document may say."""

from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from annotations.errors import DocumentInvalid, ImageNotInExam, WrongBreast
from annotations.lexicon import DENSITIES, SIDES, reading_schema
from annotations.rules.geometry import ImageExtent, check_geometry

MAX_DEPTH = 16  # a polygon's coordinate is at depth 9
MAX_VALUES = 500_000


def validate_document(document: Any, images: Iterable[ImageExtent]) -> None:
    """The document speaks the lexicon, and each mark lies in an image of the exam.

    Raises DocumentInvalid, ImageNotInExam, WrongBreast, GeometryInvalid, OutsideImage.
    """
    check_storable(document)
    _check_schema(document)
    extents = {str(image.id): image for image in images}
    for finding_id, finding in document["findings"].items():
        for mark_id, mark in finding["marks"].items():
            at = f"/findings/{finding_id}/marks/{mark_id}"
            _check_mark(finding, mark, extents, at)


def _check_mark(finding: dict[str, Any], mark: dict[str, Any], extents: dict[str, ImageExtent], at: str) -> None:
    image = extents.get(mark["image_id"])
    if image is None:
        raise ImageNotInExam(at=at)
    if mark["frame"] != 1:  # ingest takes images of one frame only
        raise DocumentInvalid(at=f"{at}/frame", rule="frames", frames=1)
    if finding["laterality"] and image.laterality in SIDES and finding["laterality"] != image.laterality:
        raise WrongBreast(at=at)
    check_geometry(mark["kind"], mark["geometry"], image, at=f"{at}/geometry")


@cache
def _validator() -> Draft202012Validator:
    return Draft202012Validator(reading_schema())


def _check_schema(document: Any) -> None:
    error = next(_validator().iter_errors(document), None)
    if error is not None:
        raise DocumentInvalid(at=_pointer(error), **_rule(error))


def _pointer(error: ValidationError) -> str:
    return "".join(f"/{part}" for part in error.absolute_path)


def _rule(error: ValidationError) -> dict[str, Any]:
    """Which rule was broken; never the value, which may be a comment about a patient."""
    rule = str(error.validator)
    return {"rule": rule, "expected": error.validator_value} if rule != "additionalProperties" else {"rule": rule}


def check_storable(value: Any) -> None:
    """A JSON value that both databases keep as it is. Raises DocumentInvalid.

    PostgreSQL's jsonb has no U+0000 and no lone surrogates; no JSON has NaN or infinity.
    """
    for count, (depth, item) in enumerate(_walk(value)):
        if depth > MAX_DEPTH or count > MAX_VALUES:
            raise DocumentInvalid(rule="size", max_depth=MAX_DEPTH, max_values=MAX_VALUES)
        if isinstance(item, str) and not _is_text(item):
            raise DocumentInvalid(rule="text", problem="a string holds U+0000 or half a surrogate pair")
        if isinstance(item, int | float) and not abs(item) < 1e15:  # also NaN
            raise DocumentInvalid(rule="number", problem="a number is not finite or too large")


def _walk(value: Any) -> Iterator[tuple[int, Any]]:
    """Every value and key under a value with its depth; a stack, because a hostile one would exhaust recursion."""
    stack = [(0, value)]
    while stack:
        depth, item = stack.pop()
        yield depth, item
        if isinstance(item, dict):
            stack += [(depth + 1, inner) for pair in item.items() for inner in pair]
        elif isinstance(item, list):
            stack += [(depth + 1, inner) for inner in item]


def _is_text(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= char <= "\udfff" for char in text)


def exam_density(document: dict[str, Any]) -> str | None:
    """The density of an exam: that of its denser breast; None where neither is given."""
    given = [breast["density"] for breast in document["breasts"].values() if breast["density"]]
    return max(given, key=DENSITIES.index, default=None)
