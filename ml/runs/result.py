"""result.json: written last. Present, finished and with matching hashes is the only definition of a complete run."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ml.runs import atomic, versions
from ml.runs.errors import RunRefused
from ml.runs.records import from_dict, to_dict


@dataclass(frozen=True, kw_only=True)
class Result:
    """How a run ended well. `best` is the headline; `files` maps a path in the folder to its SHA-256."""

    schema: str = versions.tag("result")
    status: Literal["finished"] = "finished"
    exit_code: int = 0
    command: str = "train"
    best: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)


def write_result(run_dir: Path, *, command: str, best: dict[str, Any], files: list[Path]) -> Result:
    """Hash `files` (folders: every file inside) and write result.json."""
    every = [
        file for path in files for file in (sorted(path.rglob("*")) if path.is_dir() else [path]) if file.is_file()
    ]
    hashes = {str(file.relative_to(run_dir)): atomic.sha256_of(file) for file in every}
    result = Result(command=command, best=best, files=hashes)
    atomic.write_json(run_dir / "result.json", to_dict(result))
    return result


def read_result(run_dir: Path) -> Result | None:
    """The result if the run is complete; None if it is absent, unreadable, or a file does not have its hash."""
    try:
        document = json.loads((run_dir / "result.json").read_text())
        versions.require(document, "result")
        result = from_dict(Result, document)
    except (OSError, ValueError, RunRefused):
        return None
    for name, expected in result.files.items():
        file = run_dir / name
        if not file.is_file() or atomic.sha256_of(file) != expected:
            return None
    return result
