"""The browser's sign-in: a session cookie with CSRF."""

from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request


class Session(SessionAuthentication):
    def authenticate_header(self, request: Request) -> str:
        # With a header a missing sign-in is 401, not 403; "Basic" would make the browser ask with a window of its own.
        return "Session"
