"""`manage.py write_docs`: write again what is generated: pages of docs/, frontend/openapi.json."""

from typing import Any

from django.core.management.base import BaseCommand

from mammoloop import documents


class Command(BaseCommand):
    help = "Write again what is generated: pages of docs/, and frontend/openapi.json."
    requires_migrations_checks = False

    def handle(self, *args: Any, **options: Any) -> None:
        self.stdout.write("\n".join(documents.write()) or "nothing changed")
