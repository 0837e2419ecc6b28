"""Who asks."""

from rest_framework.request import Request

from accounts.models import User


def asker(request: Request) -> User:
    """The account behind a request of a view that `SignedIn` guards; nobody else gets that far."""
    assert isinstance(request.user, User)
    return request.user
