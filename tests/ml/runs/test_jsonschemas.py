import json

import jsonschema

from ml.runs import jsonschemas
from ml.runs.records import to_dict
from ml.runs.request import Request


def test_the_committed_schemas_are_current():
    committed = {path.name: path.read_text() for path in jsonschemas.FOLDER.glob("*.json")}
    assert committed == jsonschemas.texts(), "run: python -m ml.runs.jsonschemas"


def test_a_request_fits_its_schema():
    schema = json.loads(jsonschemas.texts()["request.json"])
    jsonschema.validate(to_dict(Request(run_id="r", method="m")), schema)
