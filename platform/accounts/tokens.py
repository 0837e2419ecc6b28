"""Bearer tokens for programs."""

import hashlib
import secrets
from datetime import timedelta

from rest_framework.authentication import BaseAuthentication
from rest_framework.request import Request

from accounts.models import Token, User
from core.clock import now
from core.errors import Unauthenticated

PREFIX = "mammo_"
USED_EVERY = timedelta(minutes=5)


class TokenRefused(Unauthenticated):
    """The bearer token is unknown, has ended or was revoked."""

    code = "accounts.token_refused"
    cure = "Make a new token on the page of tokens, or with `manage.py issue_token`."


def new_secret() -> str:
    return PREFIX + secrets.token_urlsafe(32)


def digest(secret: str) -> str:
    """What of a token is stored. A plain hash is enough: the secret has 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


class BearerToken(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        kind, _, secret = request.headers.get("Authorization", "").partition(" ")
        if kind.lower() != "bearer":
            return None
        token = Token.objects.select_related("user").filter(sha256=digest(secret.strip())).first()
        if token is None or token.revoked_at or token.ends_at <= now() or not token.user.is_active:
            raise TokenRefused()
        if token.last_used_at is None or now() - token.last_used_at > USED_EVERY:
            Token.objects.filter(pk=token.pk).update(last_used_at=now())
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
