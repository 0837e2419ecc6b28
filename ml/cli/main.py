"""`python -m ml COMMAND`: arguments in, an exit code of `ml.runs.exits` out. Imports torch only to learn."""

import argparse
import os
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from ml.cli import listing
from ml.cli.telling import Teller
from ml.cli.threads import set_threads
from ml.pretraining import NAMES as PRETRAINING
from ml.runs.errors import RunRefused, invalid
from ml.runs.exits import Exit
from ml.runs.request import FINDINGS, LAYOUTS, TARGETS, read_request

#: Where a command lives that is no run: a function of its own name, imported when it is asked for.
_MODULES = {
    "init": "ml.cli.starting",
    "manifest": "ml.cli.starting",
    "phantoms": "ml.cli.starting",
    "compare": "ml.cli.comparing",
    "export": "ml.cli.exporting",
}
RUNNING = ("train", "score", "predict", "evaluate", "pretrain")


def parser() -> argparse.ArgumentParser:
    """The grammar of the command line."""
    root = argparse.ArgumentParser(prog="python -m ml", description="Learn from mammograms in a run folder.")
    commands = root.add_subparsers(dest="command", required=True)
    for name, text in {
        "train": "stages, prediction, evaluation, model",
        "score": "pool rows with uncertainty and embeddings",
        "predict": "predictions only, by the model in init",
        "evaluate": "metrics from existing predictions",
        "pretrain": "a trunk taught from the images of train and pool alone, to begin other runs with",
    }.items():
        command = commands.add_parser(name, help=text)
        command.add_argument("run_dir", type=Path, nargs="?" if name == "evaluate" else None)
        command.add_argument("--supervised", action="store_true", help="end when stdin ends, and print no progress")
        if name == "evaluate":
            _merging(command)
    compare = commands.add_parser("compare", help="two finished runs on the patients that both were tested on")
    compare.add_argument("one", type=Path, metavar="RUN_A")
    compare.add_argument("other", type=Path, metavar="RUN_B")
    compare.add_argument("--split", default="test", choices=("val", "test", "audit"))
    compare.add_argument("--json", action="store_true", help="print the document")
    export = commands.add_parser("export", help="a model as a torch.export program, compared with it on phantoms")
    export.add_argument("model", type=Path, help="model/ folder of a finished run")
    export.add_argument("out", type=Path, help="folder that gets model.pt2 and export.json")
    listed = commands.add_parser("list", help="the methods")
    listed.add_argument("--json", action="store_true")
    listed.add_argument("--write", action="store_true", help="write ml/catalogue.json from the methods' records")
    start = commands.add_parser("init", help="write request.json")
    start.add_argument("run_dir", type=Path)
    start.add_argument("--method", help=f"a method of `list`; to pretrain one of {', '.join(PRETRAINING)}")
    start.add_argument("--for", dest="donee", metavar="METHOD", help="to pretrain: whose trunk it is, at this size")
    start.add_argument("--size", default="tiny")
    start.add_argument("--seed", type=int, default=0)
    start.add_argument("--command", dest="what", choices=RUNNING, default="train")
    start.add_argument(
        "--finding",
        action="append",
        default=[],
        choices=FINDINGS,
        help="repeat for several; default: all of the method",
    )
    start.add_argument("--target", metavar="KIND[:FINDING,...]", help=f"what the label is: {', '.join(TARGETS)}")
    start.add_argument("--folds", type=int, help="cross-validate: the number of folds, the same in all their runs")
    start.add_argument("--fold", type=int, help="the fold that is the test set of this run, from 0")
    start.add_argument("--manifest", type=Path, help="folder whose manifest the run gets; its pixels stay there")
    start.add_argument("--steps", type=_at_least(1), help="steps of the main stage, instead of the method's own plan")
    start.add_argument("--max-steps", type=_at_least(1), help="cap every stage: a try-out of the way, no result")
    start.add_argument("--task", help="one that the method serves; default: its main one (`list --json` has all)")
    start.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="KEY=VALUE",
        help="a setting of the method's config, VALUE as JSON or a word; repeat for several",
    )  # fmt: skip
    begin = start.add_mutually_exclusive_group()
    begin.add_argument("--model", type=Path, help="model/ folder of an earlier run to start from; copied into RUN_DIR")
    begin.add_argument(
        "--weights", type=Path, metavar="FILE",
        help=".safetensors, .pth or .pt of a network of the same family, ImageNet's for example; copied into RUN_DIR",
    )  # fmt: skip
    _of_weights(start)
    start.add_argument("--cache", type=Path, help="folder of prepared pixels, shared by runs")
    start.add_argument("--explanations", type=_at_least(0), default=0, metavar="N", help="draw heat maps of N exams")
    start.add_argument("--device", default="auto")
    start.add_argument("--precision", default="auto", choices=("auto", "fp32", "bf16", "fp16"))
    start.add_argument(
        "--workers", type=_at_least(0), help="threads that load; default: 0 on a CPU, up to 16 beside a GPU"
    )
    start.add_argument("--deterministic", action="store_true", help="the same weights every time on one machine")
    start.add_argument("--gradient-checkpointing", action="store_true", help="less memory, about a third more time")
    manifest = commands.add_parser("manifest", help="write the manifest of a data set")
    manifest.add_argument(
        "name", help="mini-mias, cdd-cesm-seg512, cdd-cesm-cm512, ddsm-tissue-seg; or own, for the rows of --rows"
    )
    manifest.add_argument("folder", type=Path, help="where the images are; they stay there")
    manifest.add_argument("run_dir", type=Path, help="folder that gets manifest.jsonl and manifest.meta.json")
    manifest.add_argument("--rows", type=Path, metavar="FILE", help="of own: a JSON object a line for each image")
    manifest.add_argument("--seed", type=int, default=0)
    manifest.add_argument("--pool", type=_share, default=0.0, help="share of training patients left unlabelled")
    phantoms = commands.add_parser("phantoms", help="synthetic exams with their manifest")
    phantoms.add_argument("run_dir", type=Path)
    phantoms.add_argument("--exams", type=int, default=20)
    phantoms.add_argument("--seed", type=int, default=0)
    phantoms.add_argument("--spacing", type=float, default=0.4, metavar="MM", help="side of a pixel")
    phantoms.add_argument("--pool", type=_share, default=0.0, help="share of training patients left unlabelled")
    return root


def _of_weights(start: argparse.ArgumentParser) -> None:
    """What can be said of the file of --weights."""
    start.add_argument("--layout", choices=LAYOUTS, default="auto", help="whose names the weights file has")
    start.add_argument(
        "--mean", type=float, nargs="+", metavar="X",
        help="by which the file's network norms its input, one a channel; default: that of its family",
    )  # fmt: skip
    start.add_argument("--std", type=float, nargs="+", metavar="X", help="the standard deviation that goes with --mean")
    start.add_argument("--allow-partial", action="store_true", help="up to a tenth of the trunk may be missing")
    start.add_argument("--licence", help="of the weights file, for the model card")
    start.add_argument("--origin", help="where the weights file is from, for the model card")


def _merging(command: argparse.ArgumentParser) -> None:
    command.add_argument("--merge", type=Path, nargs="+", metavar="FOLD", help="tell the runs of all folds as one")
    command.add_argument("--out", type=Path, help="with --merge: folder that gets metrics.json")
    command.add_argument(
        "--bootstrap", type=_at_least(0), metavar="N", help="with --merge: replicates (or as the folds)"
    )
    command.add_argument("--json", action="store_true", help="with --merge: print the document")
    command.add_argument("--no-pixels", action="store_true", help="with --merge: without baselines that look at images")


def _at_least(least: int) -> Callable[[str], int]:
    def number(word: str) -> int:
        if (value := int(word)) < least:
            raise argparse.ArgumentTypeError(f"{value} is less than {least}")
        return value

    number.__name__ = "whole number"  # what argparse calls it where a word is none
    return number


def _share(word: str) -> float:
    if not 0 <= (value := float(word)) < 1:
        raise argparse.ArgumentTypeError(f"{word} is not a share: 0 or more, and less than 1")
    return value


def main(argv: list[str]) -> int:
    """Run one command; the process's exit status. What goes wrong outside a run is a sentence on stderr."""
    arguments = parser().parse_args(argv)
    try:
        status = _command(arguments)
        sys.stdout.flush()
        return status
    except RunRefused as error:
        print(error.sentence, file=sys.stderr)
        return int(error.exit)
    except BrokenPipeError:
        # Whoever read stdout has seen enough; the interpreter must not try to write the rest when it ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(Exit.FINISHED)
    except OSError as error:
        where = "" if error.filename is None else f"{error.filename}: "
        print(f"file_unusable: {where}{error.strerror or error}", file=sys.stderr)
        return int(Exit.INVALID_REQUEST)
    except KeyboardInterrupt:
        print(f"interrupted: {arguments.command} ended before it was done", file=sys.stderr)
        return int(Exit.CANCELLED)


def _command(arguments: argparse.Namespace) -> int:
    if getattr(arguments, "merge", None):
        from ml.cli import merging

        return merging.merge(arguments)
    if arguments.command in RUNNING:
        return _run(arguments)
    if arguments.command == "list":
        return listing.show(as_json=arguments.json, write=arguments.write)
    return int(getattr(import_module(_MODULES[arguments.command]), arguments.command)(arguments))


def _run(arguments: argparse.Namespace) -> int:
    if arguments.run_dir is None:
        raise invalid("arguments_invalid", "RUN_DIR is needed, or --merge with the folds of a cross-validation")
    if not arguments.run_dir.is_dir():
        raise invalid("folder_missing", f"{arguments.run_dir} is not a folder")
    set_threads(read_request(arguments.run_dir))
    from ml.training.run import run

    listener = None if arguments.supervised else Teller()
    return int(run(arguments.run_dir, command=arguments.command, supervised=arguments.supervised, listener=listener))
