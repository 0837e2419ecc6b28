"""`manage.py backup FILE`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import MammoError
from mammoloop.backup import backup


class Command(BaseCommand):
    help = "Write database, store, runs, exports and secrets into one file."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            told = backup(options["file"].resolve())
        except MammoError as error:
            raise CommandError(f"{error.sentence} {error.cure}") from error
        self.stdout.write(f"{told}")
