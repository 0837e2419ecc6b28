"""Play whole rounds against a server: upload, read, snapshot, retrain, promote, rank, export.

    python -m mammoloop_client.rounds DATA --out OUT --url http://127.0.0.1:8000 [--token TOKEN]

The token (an administrator's) may also stand in MAMMOLOOP_TOKEN, where other users of the machine do not see it.
Nothing here reads a data set: the server recognises it, and its labels come back as reference readings.
"""

import argparse
import os
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from mammoloop_client import report as reports
from mammoloop_client.http import Client, Problem, Unreachable
from mammoloop_client.progress import StepFailed, Steps, wait_for, wait_until_idle
from mammoloop_client.reading import Reader

ROUNDS = 3
READERS = 2
#: A fixed number of steps, so that a round takes the same time whatever came before.
METHODS = {"dcse_resnet50": 150, "retinanet_mass": 300}


@dataclass
class Play:
    """One play of the loop: the server, the project, what was read and learned so far."""

    admin: Client
    out: Path
    steps: Steps
    method_steps: dict[str, int]
    project: str = ""
    answers: dict[str, Any] = field(default_factory=dict)
    splits: dict[str, str] = field(default_factory=dict)
    readers: list[Reader] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    ranked: list[str] = field(default_factory=list)
    rounds: list[dict[str, Any]] = field(default_factory=list)

    # --- before the first round ---------------------------------------------------------------------------------
    def begin(self, data: Path) -> None:
        """Make a project, upload the folder, read its labels, make the readers."""
        name = f"Loop {data.name} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"
        self.project = self.admin.post("projects/", {"name": name}).data["id"]
        with self.steps.step("upload"):
            ingest = self._upload(data)
        with self.steps.step("import"):
            self._import(ingest)
        with self.steps.step("readers"):
            self._learn_answers()
            self.readers = [self._make_reader(number) for number in range(1, READERS + 1)]

    def _upload(self, data: Path) -> str:
        ingest = self.admin.post("ingests/", {"project": self.project, "dataset": "auto"}).data["id"]
        files = [(data, data.name)] if data.is_file() else list(_files_of(data))
        if not files:
            raise StepFailed(f"There is no file in {data}.")
        for number, (file, name) in enumerate(files, start=1):
            self.admin.put_file(f"ingests/{ingest}/files/", file, name=name)
            self.steps.move(f"{number}/{len(files)} files")
        return ingest

    def _import(self, ingest: str) -> None:
        closed = self.admin.post(f"ingests/{ingest}/close/").data
        job = closed["job"]
        wait_for(self.admin, [job["id"] if isinstance(job, dict) else job], self.steps)
        wait_until_idle(self.admin, self.project, self.steps)
        counts = self.admin.get(f"ingests/{ingest}/")["counts"]
        self.steps.say(f"  {counts}")
        exams = list(self.admin.pages("exams/", project=self.project))
        if not exams:
            raise StepFailed(f"Nothing was taken in: {counts}.")
        self.splits = {exam["id"]: exam["split"] for exam in exams}

    def _learn_answers(self) -> None:
        rows = self.admin.pages("readings/", project=self.project, purpose="reference")
        self.answers = {row["exam"]: row["document"] for row in rows}
        unlabelled = [exam for exam in self.splits if exam not in self.answers]
        if unlabelled:
            raise StepFailed(
                f"{len(unlabelled)} of {len(self.splits)} exams came without labels: nobody can read them."
            )

    def _make_reader(self, number: int) -> Reader:
        name = f"loop-{self.project[:8]}-{self.project[-4:]}-reader{number}"
        user = self.admin.post("users/", {"username": name}).data["id"]
        self.admin.post("memberships/", {"project": self.project, "user": user, "role": "reader"})
        secret = self.admin.post("tokens/", {"user": user, "name": "loop", "days": 1}).data["secret"]
        return Reader(self.admin.as_account(secret), name)

    # --- a round ------------------------------------------------------------------------------------------------
    def play_round(self, number: int) -> None:
        """Read this round's share, then snapshot, retrain, promote, rank."""
        before = dict(self.steps.seconds)
        entry: dict[str, Any] = {"round": number, "models": {}}
        with self.steps.step(f"round {number}: read"):
            entry |= self._read(number)
        with self.steps.step(f"round {number}: snapshot"):
            snapshot = self._freeze(f"round {number}")
        with self.steps.step(f"round {number}: retrain"):
            self.versions = self._retrain(snapshot["id"])
        with self.steps.step(f"round {number}: promote and rank"):
            entry["ranked"] = self._promote_and_rank()
        entry["snapshot"] = {key: snapshot[key] for key in ("number", "sha256", "counts")}
        for version in self.versions.values():
            model = self.admin.get(f"models/{version}/")
            kept = {key: model[key] for key in ("id", "number", "method", "size", "headline", "headline_split")}
            entry["models"][model["task"]] = {**kept, "metrics": reports.test_metrics(model)}
        entry["seconds"] = {name: s for name, s in self.steps.seconds.items() if name not in before}
        self.rounds.append(entry)

    def _read(self, number: int) -> dict[str, Any]:
        read_before = {exam for reader in self.readers for exam in reader.served}
        quota = self._quota(number, read_before)
        served: list[str] = []
        for turn in range(quota):
            exam = self.readers[turn % READERS].read_next(self.project, self.answers)
            if exam is None:
                raise StepFailed(f"Only {turn} of {quota} exams were served in round {number}.")
            served.append(exam)
            self.steps.move(f"{turn + 1}/{quota} exams read")
        if set(served) & read_before or len(set(served)) != len(served):
            raise StepFailed("An exam was served twice, though it wants one reading.")
        self._check_order(number, served)
        everything = read_before | set(served)
        findings = sum(len(self.answers[exam]["findings"]) for exam in everything)
        return {"exams_read": len(everything), "read_now": len(served), "findings": findings}

    def _quota(self, number: int, read: set[str]) -> int:
        """Round 1: all that is not for training, and a third of what is; then a third each, the last one the rest."""
        left = [exam for exam in self.splits if exam not in read]
        train = sum(self.splits[exam] == "train" for exam in left)
        others = len(left) - train
        return others + (train if number == ROUNDS else -(-train // (ROUNDS - number + 1)))

    def _check_order(self, number: int, served: list[str]) -> None:
        """Test patients come first in round 1; afterwards the order served is the order ranked."""
        if number == 1:
            tiers = [self.splits[exam] == "train" for exam in served]
            if tiers != sorted(tiers):
                raise StepFailed("An exam for training was served before all val and test exams were read.")
        elif served != self.ranked[: len(served)]:
            raise StepFailed("The exams were not served in the order of the published ranking.")

    def _freeze(self, note: str) -> dict[str, Any]:
        snapshot = self.admin.post(
            "snapshots/", {"project": self.project, "policy": {"references": False}, "note": note}
        )
        wait_for(self.admin, [snapshot.data["job"]], self.steps)
        frozen = self.admin.get(f"snapshots/{snapshot.data['id']}/")
        read = sum(len(reader.served) for reader in self.readers)
        if frozen["state"] != "frozen" or frozen["counts"]["exams"] != read:
            raise StepFailed(f"{read} exams were read, the snapshot is {frozen['state']} with {frozen['counts']}.")
        return frozen

    def _retrain(self, snapshot: str) -> dict[str, str]:
        """Train every method side by side, from its earlier version where there is one."""
        runs = {}
        for method, steps in self.method_steps.items():
            order: dict[str, Any] = {"snapshot": snapshot, "method": method, "size": "tiny", "seed": 0}
            order["config"] = {"steps": steps}
            if method in self.versions:
                order["init"] = {"version": self.versions[method]}
            runs[method] = self.admin.post("runs/", order).data
        wait_for(self.admin, [run["job"]["id"] for run in runs.values()], self.steps)
        versions = {method: self.admin.get(f"runs/{run['id']}/")["version"] for method, run in runs.items()}
        unmade = [method for method, version in versions.items() if not version]
        if unmade:
            raise StepFailed(f"These runs ended without a model: {', '.join(unmade)}.")
        return versions

    def _promote_and_rank(self) -> int:
        """Promote all, wait for the scores and the ranking, take the published order; how many exams it ranks."""
        scoring = [self.admin.post(f"models/{version}/promote/").data["job"] for version in self.versions.values()]
        results = wait_for(self.admin, scoring, self.steps)
        wait_for(self.admin, [result["rank_job"] for result in results], self.steps)
        rounds = self.admin.get("rounds/", project=self.project)["results"]
        if not rounds:
            raise StepFailed("No ranking was published.")
        used = {version["id"] for version in rounds[0]["versions"]}
        if used != set(self.versions.values()):
            raise StepFailed("The published ranking is not by the versions that were promoted.")
        self.ranked = [item["exam_id"] for item in self._items(rounds[0]["id"])]
        unread = set(self.splits) - {exam for reader in self.readers for exam in reader.served}
        if set(self.ranked) != unread:
            raise StepFailed(f"The ranking has {len(self.ranked)} exams, {len(unread)} are unread.")
        return len(self.ranked)

    def _items(self, round_id: str) -> Iterator[dict[str, Any]]:
        after = 0
        while items := self.admin.get(f"rounds/{round_id}/", after=after)["items"]:
            yield from items
            after = items[-1]["position"]

    # --- after the last round -----------------------------------------------------------------------------------
    def end(self) -> None:
        """Freeze everything and take the exports home."""
        with self.steps.step("final snapshot"):
            snapshot = self._freeze("final")
            marks = sum(len(f["marks"]) for answer in self.answers.values() for f in answer["findings"].values())
            kept = sum(snapshot["counts"]["marks"].values())
            if kept != marks or snapshot["counts"]["exams"] != len(self.splits):
                raise StepFailed(f"{marks} marks in {len(self.splits)} exams were read, kept: {snapshot['counts']}.")
        for kind in ("coco", "csv"):
            with self.steps.step(f"export {kind}"):
                self._export(snapshot["id"], kind)

    def _export(self, snapshot: str, kind: str) -> None:
        export = self.admin.post("exports/", {"snapshot": snapshot, "format": kind}).data
        wait_for(self.admin, [export["job"]], self.steps)
        ready = self.admin.get(f"exports/{export['id']}/")
        size = self.admin.download(f"exports/{export['id']}/download/", self.out / f"export-{kind}.zip")
        if ready["state"] != "done" or size != ready["bytes"]:
            raise StepFailed(f"The export {kind} is {ready['state']} with {ready['bytes']} bytes, {size} arrived.")


def _files_of(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file of a folder with its name in it; hidden ones are the machine's, not the data's."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in name.parts):
            yield path, name.as_posix()


def play(admin: Client, data: Path, out: Path, steps: Steps, method_steps: dict[str, int]) -> dict[str, Any]:
    """Play all rounds; the report, which is written in any case."""
    began, failure = time.monotonic(), None
    game = Play(admin, out, steps, method_steps)
    try:
        game.begin(data)
        for number in range(1, ROUNDS + 1):
            game.play_round(number)
        game.end()
    except (StepFailed, Problem, Unreachable) as error:
        failure = str(error)
    report = {
        "schema": reports.SCHEMA,
        "ok": failure is None,
        "failure": failure,
        "data": data.name,
        "project": game.project,
        "splits": {split: list(game.splits.values()).count(split) for split in sorted(set(game.splits.values()))},
        "rounds": game.rounds,
        "seconds": steps.seconds,
        "total_seconds": round(time.monotonic() - began, 1),
    }
    reports.write(report, out / "report.json")
    return report


def main(argv: list[str] | None = None) -> int:
    """The command; 0 only if every step held."""
    parser = argparse.ArgumentParser(prog="mammoloop_client.rounds", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="a folder or a zip of DICOM files, or of a data set with labels")
    parser.add_argument("--out", type=Path, required=True, help="where the exports and report.json go")
    parser.add_argument("--url", default=os.environ.get("MAMMOLOOP_URL"), help="the server's address")
    parser.add_argument("--token", default=os.environ.get("MAMMOLOOP_TOKEN"), help="an administrator's bearer token")
    for method, count in METHODS.items():
        parser.add_argument(f"--{method.replace('_', '-')}-steps", type=int, default=count, help="training steps")
    given = parser.parse_args(argv)
    if not given.url or not given.token:
        parser.error("say --url and --token (or MAMMOLOOP_URL and MAMMOLOOP_TOKEN); `make loop` starts a server itself")
    if not given.data.exists():
        parser.error(f"there is nothing at {given.data}")
    given.out.mkdir(parents=True, exist_ok=True)
    method_steps = {method: getattr(given, f"{method}_steps") for method in METHODS}
    report = play(Client(given.url, given.token), given.data, given.out, Steps(), method_steps)
    print(reports.table(report))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
