"""`manage.py issue_token USERNAME`: print a new bearer token to standard output and nothing else there."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Scope, User
from accounts.services import TOKEN_DAYS, issue_token


class Command(BaseCommand):
    help = "Print a new bearer token of an account."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--days", type=float, default=TOKEN_DAYS, help="how long it holds")
        parser.add_argument("--scope", choices=Scope.values, default=Scope.WRITE.value)

    def handle(self, *args: Any, **options: Any) -> None:
        user = User.objects.filter(username__iexact=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(f"There is no account named {options['username']}.")
        _, secret = issue_token(
            user=user, by=None, days=options["days"], scope=Scope(options["scope"]), name="command line"
        )
        self.stdout.write(secret)
