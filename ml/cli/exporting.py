"""`python -m ml export MODEL OUT`: a model as one file that runs without our code."""

import argparse
import os
import sys


def export(arguments: argparse.Namespace) -> int:
    """Write model.pt2 and export.json. Raises RunRefused (exit 2 or 3)."""
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    from ml.training.exporting import export as exported
    from ml.training.model_folder import load_model

    print("making phantoms and writing the program down; under a minute for a small model", file=sys.stderr)
    found = exported(load_model(arguments.model), arguments.out)
    print(
        f"wrote {arguments.out / found.file}: on {found.phantoms} phantoms it differs from the model "
        f"by at most {found.max_difference:.2g}",
        file=sys.stderr,
    )
    return 0
