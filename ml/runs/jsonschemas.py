"""The JSON Schemas in `ml/runs/schemas/`, made from the records: `python -m ml.runs.jsonschemas` writes them."""

import json
from pathlib import Path

from ml.runs.explanations import Explanations
from ml.runs.manifest import ManifestMeta, ManifestRow
from ml.runs.records import json_schema
from ml.runs.request import Request
from ml.runs.result import Result

FOLDER = Path(__file__).parent / "schemas"
RECORDS = {
    "request": Request,
    "manifest_row": ManifestRow,
    "manifest_meta": ManifestMeta,
    "result": Result,
    "explanations": Explanations,
}


def texts() -> dict[str, str]:
    """File name to content."""
    return {
        f"{name}.json": json.dumps(json_schema(record, f"mammoloop {name}"), indent=1) + "\n"
        for name, record in RECORDS.items()
    }


def write() -> None:
    """Write all schema files."""
    FOLDER.mkdir(exist_ok=True)
    for name, text in texts().items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    write()
