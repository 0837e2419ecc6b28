"""`manage.py verify_audit`: check the sealed audit trail."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from core.audit import verify


class Command(BaseCommand):
    help = "Check that no sealed audit event was changed, added or removed."

    def handle(self, *args: Any, **options: Any) -> None:
        verdict = verify()
        if verdict.broken_at is not None:
            raise CommandError(f"Block {verdict.broken_at} does not fit its events: somebody changed the audit trail.")
        self.stdout.write(f"{verdict.events} events in {verdict.blocks} blocks fit; {verdict.unsealed} not sealed yet.")
