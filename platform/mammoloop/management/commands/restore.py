"""`manage.py restore FILE`."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.errors import MammoError
from mammoloop.backup import restore


class Command(BaseCommand):
    help = "Bring a backup back into an empty VAR_DIR and database."
    requires_migrations_checks = False

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            told = restore(options["file"].resolve())
        except MammoError as error:
            raise CommandError(f"{error.sentence} {error.cure}") from error
        self.stdout.write(f"{told}")
