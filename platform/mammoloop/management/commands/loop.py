"""`manage.py loop DATA`: whole rounds over real HTTP on a platform that lives as long as they do."""

import os
import signal
import socket
import subprocess
import sys
import threading
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from accounts.models import User
from accounts.services import issue_token
from mammoloop.demo import logins, running

TOKEN_VARIABLE = "MAMMOLOOP_TOKEN"  # noqa: S105 - a name, not a secret


class Command(BaseCommand):
    help = "Play whole rounds over HTTP against a platform in VAR_DIR on a free port."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("data", type=Path)
        parser.add_argument("--out", type=Path, required=True)

    def handle(self, *args: Any, **options: Any) -> None:
        port = _free_port()
        ended: list[int] = []

        def prepare() -> None:
            call_command("migrate", verbosity=0)
            logins.ensure()

        def stop_after(child: subprocess.Popen[bytes]) -> None:
            ended.append(child.wait())
            os.kill(os.getpid(), signal.SIGTERM)  # our own supervisor, in the way that Ctrl-C tells it

        def when_ready() -> None:
            admin = User.objects.get(username="admin")
            _, secret = issue_token(user=admin, by=None, days=1, name="loop")
            argv = [sys.executable, "-m", "mammoloop_client.rounds", str(options["data"]), "--out", str(options["out"])]
            child = subprocess.Popen(  # noqa: S603 - our own client
                [*argv, "--url", f"http://127.0.0.1:{port}"], env={**os.environ, TOKEN_VARIABLE: secret}
            )
            threading.Thread(target=stop_after, args=[child], daemon=True).start()

        try:
            running.run(bind="127.0.0.1", port=port, prepare=prepare, when_ready=when_ready)
        except running.CannotStart as error:
            sys.exit(running.refuse(error))
        sys.exit(ended[0] if ended else 130)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
