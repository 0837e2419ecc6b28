"""`manage.py demo`: MammoLoop on this machine, with phantoms to begin with. Ends at Ctrl-C."""

import sys
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from mammoloop.demo import content, logins, running


class Command(BaseCommand):
    help = "Run everything on this machine: web server, workers, broker, database."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--port", type=int, default=settings.ENV["PORT"])
        parser.add_argument("--bind", default=settings.ENV["BIND"])
        parser.add_argument(
            "--data", help="a folder of DICOM files, or of a data set, to load into a project of its own"
        )
        parser.add_argument("--empty", action="store_true", help="no demo project and no phantoms")

    def handle(self, *args: Any, **options: Any) -> None:
        bind, port = options["bind"], options["port"]

        def prepare() -> None:
            call_command("migrate", verbosity=0)
            logins.ensure()
            if not options["empty"]:
                content.begin(running.say)

        def when_ready() -> None:
            if not options["empty"]:
                content.go_on()
            if options["data"]:
                running.say(content.load(options["data"]))
            running.say(f"\nMammoLoop runs at http://{bind}:{port}/   (Ctrl-C ends it)")
            for name, password in logins.unchanged().items():
                running.say(f"  {name:<12} {password}")
            running.say("For research, not a medical device.\n")

        try:
            sys.exit(running.run(bind=bind, port=port, prepare=prepare, when_ready=when_ready))
        except running.CannotStart as error:
            sys.exit(running.refuse(error))
