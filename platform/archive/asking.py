"""Who asks: for views that only somebody signed in reaches."""

from rest_framework.request import Request

from accounts.models import User


def asker(request: Request) -> User:
    """The account of a request that `SignedIn` let through."""
    assert isinstance(request.user, User)
    return request.user
