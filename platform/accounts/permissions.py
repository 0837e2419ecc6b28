"""Who may call a view at all; what they may do with an object is asked by `queries`."""

from typing import Any

from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from accounts.errors import TokenReadOnly
from accounts.models import Scope, Token


class Anyone(BasePermission):
    """Open to the whole network, on purpose."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return True


class SignedIn(BasePermission):
    """Somebody is signed in; a token of scope `read` only reads."""

    def has_permission(self, request: Request, view: Any) -> bool:
        if not request.user or not request.user.is_authenticated:
            return False
        token = request.auth
        if isinstance(token, Token) and token.scope == Scope.READ and request.method not in SAFE_METHODS:
            raise TokenReadOnly()
        return True


class SiteAdmin(SignedIn):
    """A site administrator."""

    def has_permission(self, request: Request, view: Any) -> bool:
        return super().has_permission(request, view) and bool(getattr(request.user, "is_site_admin", False))
