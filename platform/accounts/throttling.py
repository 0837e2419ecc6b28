"""How often an actor may call."""

import logging
from typing import Any

from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle

log = logging.getLogger("mammoloop.accounts")


class Throttle(SimpleRateThrottle):
    """Counts in Redis; while Redis is down it lets everybody in, so that a reader's edits are still taken."""

    def allow_request(self, request: Request, view: Any) -> bool:
        try:
            return super().allow_request(request, view)
        except RedisError:
            log.warning("throttle without its counter")
            return True


class PerActor(Throttle):
    """One bucket a token, else an account, else an address."""

    scope = "actor"

    def get_cache_key(self, request: Request, view: Any) -> str:
        ident = getattr(request.auth, "pk", None) or getattr(request.user, "pk", None) or self.get_ident(request)
        return self.cache_format % {"scope": self.scope, "ident": ident}


class PerSignIn(Throttle):
    """One bucket an address and name: a password cannot be guessed by trying."""

    scope = "sign_in"

    def get_cache_key(self, request: Request, view: Any) -> str:
        name = str(request.data.get("username", ""))[:64].lower() if isinstance(request.data, dict) else ""
        return self.cache_format % {"scope": self.scope, "ident": f"{self.get_ident(request)}|{name}"}
