"""A simulated reader: asks for the next exam, answers with what the data set says, edit by edit, and completes."""

import copy
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mammoloop_client.http import Client
from mammoloop_client.progress import StepFailed


def edits_for(document: Mapping[str, Any], answer: Mapping[str, Any]) -> list[list[dict[str, Any]]]:
    """JSON Patches that turn an empty reading into the answer: the breasts, then one a finding, as a person would.

    Findings and marks get ids of their own, and marks count as drawn by a person.
    """
    breasts = [
        {"op": "replace" if side in document["breasts"] else "add", "path": f"/breasts/{side}", "value": value}
        for side, value in sorted(answer["breasts"].items())
    ]
    findings = sorted(answer["findings"].values(), key=lambda finding: finding.get("order") or 0)
    return [breasts, *[[_add(finding)] for finding in findings]]


def _add(finding: Mapping[str, Any]) -> dict[str, Any]:
    value = copy.deepcopy(dict(finding))
    value["marks"] = {str(uuid.uuid4()): {**mark, "provenance": "human"} for mark in finding["marks"].values()}
    return {"op": "add", "path": f"/findings/{uuid.uuid4()}", "value": value}


@dataclass
class Reader:
    """One reader and what they were served, in order."""

    client: Client
    name: str
    served: list[str] = field(default_factory=list)

    def read_next(self, project: str, answers: Mapping[str, Mapping[str, Any]]) -> str | None:
        """Read one exam; its id, or None where nothing waits. Raises StepFailed where there is no answer to give."""
        got = self.client.post("worklist/next/", {"project": project})
        if got.status == 204:
            return None
        reading = got.data
        answer = answers.get(reading["exam"])
        if answer is None:
            raise StepFailed(f"The data set says nothing of exam {reading['exam']}, so it cannot be read.")
        revision, receipt = reading["revision"], reading["receipt"]
        for patch in edits_for(reading["document"], answer):
            if not patch:
                continue
            saved = self.client.patch(
                f"readings/{reading['id']}/",
                {"edit_id": str(uuid.uuid4()), "patch": patch},
                **{"If-Match": f'"{revision}"'},
            ).data
            revision, receipt = saved["revision"], saved["receipt"]
        self._check(receipt, answer)
        self.client.post(f"readings/{reading['id']}/complete/", **{"If-Match": f'"{revision}"'})
        self.served.append(reading["exam"])
        return reading["exam"]

    def _check(self, receipt: Mapping[str, Any], answer: Mapping[str, Any]) -> None:
        wanted = (len(answer["findings"]), sum(len(finding["marks"]) for finding in answer["findings"].values()))
        if (receipt["findings"], receipt["marks"]) != wanted:
            raise StepFailed(f"{self.name} sent {wanted} findings and marks, the server kept {receipt}.")
