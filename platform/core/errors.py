"""One hierarchy of errors. Every code is one class, declared beside the rules that raise it.

The first line of a class's docstring is the sentence that people read, `cure` says what to do about it, and
`docs/errors.md` is printed from `catalogue()`. Details are JSON and carry no identities, pixels or secrets.
"""

from typing import Any, ClassVar

_CATALOGUE: dict[str, type["MammoError"]] = {}


class MammoError(Exception):
    """Something went wrong."""

    code: ClassVar[str] = "core.error"
    status: ClassVar[int] = 500
    cure: ClassVar[str] = "Try again; if it stays, give the request id to the administrator."
    #: True where the same call may succeed a little later: the only thing that a retry looks at.
    transient: ClassVar[bool] = False
    #: True where the same work, done again, comes to the same end: a person who retries it would wait for nothing.
    settled: ClassVar[bool] = False

    def __init__(self, sentence: str | None = None, **detail: Any) -> None:
        self.sentence = sentence or sentence_of(type(self))
        self.detail = detail
        super().__init__(self.sentence)

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "code" not in cls.__dict__:
            return
        other = _CATALOGUE.get(cls.code)
        assert other is None or other.__qualname__ == cls.__qualname__, f"two errors share the code {cls.code}"
        _CATALOGUE[cls.code] = cls

    def __str__(self) -> str:
        return f"{self.code}: {self.sentence}" + (f" {self.detail}" if self.detail else "")


def sentence_of(error: type[MammoError]) -> str:
    """What the error says to people: the first line of its docstring."""
    return (error.__doc__ or "").strip().splitlines()[0]


def catalogue() -> dict[str, type[MammoError]]:
    """Every declared code with its class, in order of the codes."""
    return dict(sorted(_CATALOGUE.items()))


def is_settled(code: str | None) -> bool:
    """Whether what failed with this code would fail so again; of a code that is not known (any more) nobody can say."""
    error = _CATALOGUE.get(code or "")
    return error is not None and error.settled


class Invalid(MammoError):
    """The request cannot be taken as it is."""

    code = "core.invalid"
    status = 422
    cure = "Correct what the detail names and send it again."


class BadRequest(Invalid):
    """The request could not be read."""

    code = "core.bad_request"
    status = 400


class Unauthenticated(MammoError):
    """Nobody is signed in."""

    code = "core.unauthenticated"
    status = 401
    cure = "Sign in, or send a bearer token that has not ended."


class Forbidden(MammoError):
    """This account may not do that."""

    code = "core.forbidden"
    status = 403
    cure = "Ask an administrator of the project for the role that may."


class Missing(MammoError):
    """There is nothing here, or it is not yours to see."""

    code = "core.missing"
    status = 404
    cure = "Check the address; ask an administrator of the project whether you are a member."


class Conflict(MammoError):
    """The thing is not in a state that allows this."""

    code = "core.conflict"
    status = 409
    cure = "Load it again and look at its state."


class Stale(Conflict):
    """Somebody changed it in between."""

    code = "core.stale"
    status = 412
    cure = "Load the newer revision and decide which of the two to keep."


class PreconditionMissing(Conflict):
    """The request does not say which revision it was made for."""

    code = "core.precondition_missing"
    status = 428
    cure = "Send the header If-Match with the revision that was read."


class TooLarge(MammoError):
    """That is larger than what is taken here."""

    code = "core.too_large"
    status = 413
    cure = "Send it in smaller parts."


class TooMany(MammoError):
    """Too many requests in a short time."""

    code = "core.too_many"
    status = 429
    cure = "Wait as long as the header Retry-After says."
    transient = True


class Unavailable(MammoError):
    """Something that this needs does not answer."""

    code = "core.unavailable"
    status = 503
    cure = "Try again in a minute; the page of jobs and /readyz say what is down."
    transient = True


class MoveRefused(Conflict):
    """That step is not possible from the state it is in."""

    code = "core.move_refused"
    cure = "Load it again: its state says which steps are open."


class IdempotencyKeyReused(Conflict):
    """This Idempotency-Key was used for a different request."""

    code = "core.idempotency_key_reused"
    cure = "Make a new key for a new request."


class Refused(Forbidden):
    """This address is open to nobody."""

    code = "core.refused"
    cure = "Tell the developers: a view without a permission of its own."
