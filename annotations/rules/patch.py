"""JSON Patch (RFC 6902) on a document, in the four operations that a reading knows."""

from typing import Any

import jsonpatch
import jsonpointer

from annotations.errors import PatchInvalid, PatchTestFailed, PatchTooLarge
from annotations.rules.document import check_storable

NEEDS_VALUE = {"add": True, "replace": True, "test": True, "remove": False}
MAX_OPERATIONS = 1000
MAX_POINTER = 500


def apply_patch(document: dict[str, Any], patch: Any) -> Any:
    """The document after the patch; the one given stays as it is. The result still has to be validated.

    Raises PatchInvalid, PatchTooLarge, PatchTestFailed, DocumentInvalid.
    """
    check_patch(patch)
    try:
        return jsonpatch.JsonPatch(patch).apply(document)
    except jsonpatch.JsonPatchTestFailed as error:
        raise PatchTestFailed() from error
    # The library lets Python's own errors through where a pointer leads into a string or past the end of a list.
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, *_FROM_THE_LIBRARY) as error:
        raise PatchInvalid(problem="it cannot be applied to this document") from error


_FROM_THE_LIBRARY = (TypeError, KeyError, IndexError, ValueError, AttributeError)


def check_patch(patch: Any) -> None:
    """The patch is a list of known operations of bounded size. Raises PatchInvalid, PatchTooLarge, DocumentInvalid."""
    if not isinstance(patch, list) or not patch:
        raise PatchInvalid(problem="it must be a list of at least one operation")
    if len(patch) > MAX_OPERATIONS:
        raise PatchTooLarge(operations=len(patch), most=MAX_OPERATIONS)
    check_storable(patch)
    for n, operation in enumerate(patch):
        _check_operation(operation, n)


def _check_operation(operation: Any, n: int) -> None:
    if not isinstance(operation, dict) or operation.get("op") not in list(NEEDS_VALUE):
        raise PatchInvalid(operation=n, problem="op must be one of " + ", ".join(NEEDS_VALUE))
    path = operation.get("path")
    if not isinstance(path, str) or (path and not path.startswith("/")) or len(path) > MAX_POINTER:
        raise PatchInvalid(operation=n, problem="path must be a JSON pointer")
    if NEEDS_VALUE[operation["op"]] and "value" not in operation:
        raise PatchInvalid(operation=n, problem="needs a value")
