"""`init --set KEY=VALUE`: settings of a method's config, checked by the config itself."""

import json
from collections.abc import Sequence
from typing import Any

from ml.runs.catalogue import read_catalogue
from ml.runs.errors import invalid


def settings(method: str, size: str, words: Sequence[str]) -> dict[str, Any]:
    """The settings of `KEY=VALUE` words. Raises RunRefused (exit 2, `arguments_invalid`, `config_invalid`).

    Only where there are any is torch imported: a config lives in its method's file.
    """
    if not words:
        return {}
    given = dict(_parsed(word) for word in words)
    if method not in {entry["name"] for entry in read_catalogue()}:
        raise invalid("arguments_invalid", "--set is of methods of `list`, not of a kind of pretraining")
    from ml import methods
    from ml.training.model_folder import plain_config, settled_config

    spec = methods.get(method)
    own = plain_config(spec.configured(size, {}))
    if unknown := [key for key in given if key not in own]:
        known = ", ".join(f"{key}={json.dumps(value)}" for key, value in own.items())
        raise invalid("config_invalid", f"{method} has no setting {unknown[0]!r}; there is, at size {size}: {known}")
    settled_config(spec, {**own, **given})
    return given


def _parsed(word: str) -> tuple[str, Any]:
    key, equals, value = word.partition("=")
    if not key or not equals:
        raise invalid("arguments_invalid", f"--set takes KEY=VALUE, not {word!r}")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value  # a word needs no quotation marks
