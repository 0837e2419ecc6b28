"""`python -m ml COMMAND`: arguments in, an exit code of `ml.runs.exits` out. Imports torch only to learn."""

import argparse
import sys
from pathlib import Path

from ml.cli import listing
from ml.cli.threads import set_threads
from ml.runs.errors import RunRefused
from ml.runs.exits import Exit
from ml.runs.request import TARGETS, read_request

RUNNING = ("train", "score", "predict", "evaluate")


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    root = argparse.ArgumentParser(prog="python -m ml", description="Learn from mammograms in a run folder.")
    commands = root.add_subparsers(dest="command", required=True)
    for name, text in {
        "train": "stages, prediction, evaluation, model",
        "score": "pool rows with uncertainty and embeddings",
        "predict": "predictions only, by the model in init",
        "evaluate": "metrics from existing predictions",
    }.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("run_dir", type=Path, nargs="?" if name == "evaluate" else None)
        command.add_argument("--supervised", action="store_true", help="end when stdin ends")
        if name == "evaluate":
            _merging(command)
    listed = commands.add_parser("list", help="the methods")
    listed.add_argument("--json", action="store_true")
    listed.add_argument("--write", action="store_true", help="write ml/catalogue.json from the methods' records")
    start = commands.add_parser("init", help="write request.json")
    start.add_argument("run_dir", type=Path)
    start.add_argument("--method", required=True)
    start.add_argument("--size", default="tiny")
    start.add_argument("--seed", type=int, default=0)
    start.add_argument("--command", dest="what", choices=RUNNING, default="train")
    start.add_argument("--finding", action="append", default=[], help="repeat for several; default: all of the method")
    start.add_argument("--target", metavar="KIND[:FINDING,...]", help=f"what the label is: {', '.join(TARGETS)}")
    start.add_argument("--folds", type=int, help="cross-validate: the number of folds, the same in all their runs")
    start.add_argument("--fold", type=int, help="the fold that is the test set of this run, from 0")
    start.add_argument("--steps", type=int)
    start.add_argument("--model", type=Path, help="model/ folder of an earlier run to start from; copied into RUN_DIR")
    start.add_argument("--cache", type=Path, help="folder of prepared pixels, shared by runs")
    start.add_argument("--device", default="auto")
    manifest = commands.add_parser("manifest", help="write the manifest of a data set")
    manifest.add_argument("name", help="mini-mias, cdd-cesm-seg512, cdd-cesm-cm512 or ddsm-tissue-seg")
    manifest.add_argument("folder", type=Path)
    manifest.add_argument("run_dir", type=Path)
    manifest.add_argument("--seed", type=int, default=0)
    manifest.add_argument("--pool", type=float, default=0.0, help="share of training patients left unlabelled")
    return root


def _merging(command: argparse.ArgumentParser) -> None:
    command.add_argument("--merge", type=Path, nargs="+", metavar="FOLD", help="tell the runs of all folds as one")
    command.add_argument("--out", type=Path, help="with --merge: folder that gets metrics.json")
    command.add_argument("--json", action="store_true", help="with --merge: print the document")
    command.add_argument("--no-pixels", action="store_true", help="with --merge: without baselines that look at images")


def main(argv: list[str]) -> int:
    """Run one command; the process's exit status."""
    arguments = parser().parse_args(argv)
    try:
        if getattr(arguments, "merge", None):
            from ml.cli import merging

            return merging.merge(arguments)
        if arguments.command in RUNNING:
            return _run(arguments)
        if arguments.command == "list":
            return listing.show(as_json=arguments.json, write=arguments.write)
        from ml.cli import starting

        if arguments.command == "init":
            return starting.init(arguments)
        return starting.manifest(arguments)
    except RunRefused as error:
        print(f"{error.code}: {error.text}", file=sys.stderr)
        return int(error.exit)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.run_dir is None or not arguments.run_dir.is_dir():
        print(f"{arguments.run_dir} is not a folder", file=sys.stderr)
        return int(Exit.INVALID_REQUEST)
    set_threads(read_request(arguments.run_dir))
    from ml.training.run import run

    return int(run(arguments.run_dir, command=arguments.command, supervised=arguments.supervised))
