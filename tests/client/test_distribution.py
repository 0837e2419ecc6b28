"""The client is a distribution of its own that needs nothing of the server."""

import ast
import subprocess
import sys
from pathlib import Path

CLIENT = Path(__file__).resolve().parents[2] / "client"


def imported():
    for path in CLIENT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                yield node.module


def test_the_client_imports_itself_and_the_standard_library_alone():
    tops = {name.split(".")[0] for name in imported()}
    assert tops - set(sys.stdlib_module_names) == {"mammoloop_client"}


def test_the_command_says_what_it_needs():
    command = [sys.executable, "-m", "mammoloop_client.rounds", "nowhere", "--out", "out"]
    told = subprocess.run(command, cwd=CLIENT, env={"PATH": ""}, capture_output=True, text=True)
    assert told.returncode == 2
    assert "--url and --token" in told.stderr
