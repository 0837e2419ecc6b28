"""Threads of a run, settled before torch is imported, because OpenMP reads its settings once."""

import os

from ml.runs.request import Request


def set_threads(request: Request) -> None:
    """One thread for `tiny` unless the caller says otherwise, and idle threads that sleep.

    Two threads on two busy cores are slower than one (they spin while they wait for each other), and two trainings
    of one thread each keep their speed side by side.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    wanted = request.compute.threads or (1 if request.size == "tiny" else None)
    if wanted is not None:
        for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
            os.environ[name] = str(wanted)
    if request.compute.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
