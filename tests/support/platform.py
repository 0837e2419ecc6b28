"""A whole platform as a user starts it: `manage.py demo` under a state folder of its own, on a free port."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
#: What the tests' own settings put into the environment and a real start must not inherit.
OURS = ("VAR_DIR", "REDIS_URL", "DATABASE_URL", "DJANGO_SETTINGS_MODULE", "TEST_DATABASE_URL")


def until(condition: Callable[[], Any], seconds: float, what: str) -> Any:
    """Wait for a condition, asked for often at first and then less, for the platform has to answer; what it gave."""
    end, pause = time.monotonic() + seconds, 0.05
    while True:
        found = condition()
        if found:
            return found
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
        time.sleep(pause)
        pause = min(1.5 * pause, 0.5)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Platform:
    """A running platform; `start` and `stop` may be called again and again on the same state."""

    var: Path
    arguments: tuple[str, ...] = ()
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in OURS}
        return {**kept, "VAR_DIR": str(self.var), "PACS_ALLOW_PRIVATE": "1", "PYTHONPATH": f"{ROOT}/platform:{ROOT}"}

    def start(self, seconds: float = 180) -> None:
        argv = [sys.executable, "manage.py", "demo", "--port", str(self.port), *self.arguments]
        self.var.mkdir(parents=True, exist_ok=True)
        with (self.var / "demo.log").open("ab") as log:
            self.process = subprocess.Popen(
                argv, cwd=ROOT, env=self.environment, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        until(self._answers, seconds, "the platform")

    def _answers(self) -> bool:
        assert self.process is not None and self.process.poll() is None, (self.var / "demo.log").read_text()[-2000:]
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=2) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def stop(self) -> float:
        """Ctrl-C; the seconds it took."""
        assert self.process is not None
        start = time.monotonic()
        self.process.send_signal(signal.SIGINT)
        self.process.wait(timeout=60)
        self.process = None
        return time.monotonic() - start

    def pid_of(self, name: str) -> int:
        rows = json.loads((self.var / "processes.json").read_text())
        return int(next(row["pid"] for row in rows if row["name"] == name))

    def manage(self, *arguments: str) -> str:
        argv = [sys.executable, "manage.py", *arguments]
        done = subprocess.run(argv, cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        return done.stdout.strip()

    def password(self, name: str) -> str:
        lines = (self.var / "secrets" / "demo-logins").read_text().splitlines()
        return dict(line.split(maxsplit=1) for line in lines)[name]

    def client(self, name: str) -> "Client":
        """As an account; its token is issued once, for that starts a whole Django."""
        if name not in self.tokens:
            self.tokens[name] = self.manage("issue_token", name)
        return Client(self.url, self.tokens[name])


@dataclass
class Client:
    """The smallest REST client: JSON (or a file's bytes) in, JSON out, errors as (status, body)."""

    url: str
    token: str

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        kind = "application/octet-stream" if isinstance(body, bytes) else "application/json"
        given = {"Authorization": f"Bearer {self.token}", "Content-Type": kind, **headers}
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text else None

    def get(self, path: str) -> Any:
        status, body = self.call("GET", path)
        assert status == 200, (status, body)
        return body

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        status, answer = self.call("POST", path, body if body is not None else {}, **headers)
        assert status < 300, (status, answer)
        return answer
