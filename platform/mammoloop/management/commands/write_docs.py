"""`manage.py write_docs`: write the generated pages of docs/ again."""

from typing import Any

from django.core.management.base import BaseCommand

from mammoloop import documents


class Command(BaseCommand):
    help = "Write the generated pages of docs/ again."
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("\n".join(documents.write()) or "nothing changed")
