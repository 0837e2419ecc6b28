"""The settings of the tests: the server's own, under an environment of this process's own.

pytest-django reads settings before it reads conftest.py, so the environment is set here: each process (each xdist
worker is one) has its own state folder and its own Redis; the database is SQLite, or what TEST_DATABASE_URL says.
"""

import os
import tempfile
from pathlib import Path

STATE = Path(tempfile.mkdtemp(prefix="mammoloop-test-"))
REDIS_SOCKET = STATE / "redis.sock"

ROOTS = [str(Path(__file__).resolve().parents[1] / name) for name in ("platform", "", "client")]
GIVEN = [path for path in os.environ.get("PYTHONPATH", "").split(os.pathsep) if path]

os.environ.update(
    PYTHONPATH=os.pathsep.join([*GIVEN, *ROOTS]),  # for the processes that tests start
    VAR_DIR=str(STATE),
    DATABASE_URL=os.environ.get("TEST_DATABASE_URL", ""),
    REDIS_URL=f"unix://{REDIS_SOCKET}",
    PACS_ALLOW_PRIVATE="1",
    LOG_LEVEL="WARNING",
    OMP_NUM_THREADS=os.environ.get("OMP_NUM_THREADS", "1"),
)

from mammoloop.settings import *  # noqa: E402, F403 - the environment comes first; names are settings

# Each client of a test makes its middleware anew, which would look at every file of the front end to know them all.
WHITENOISE_AUTOREFRESH = True
