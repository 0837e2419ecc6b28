"""What comes in: a body of known keys. A misspelt key that was silently lost would be an order that nobody gave."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request

#: What a browser's form adds to every post.
FORM_FIELD = "csrfmiddlewaretoken"


class Body(serializers.Serializer[Any]):
    """The body of a request; a key that it does not know is refused with the keys that it does."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            strange = {str(key) for key in data} - set(self.fields)
            if isinstance(data, QueryDict):
                strange.discard(FORM_FIELD)
            if strange:
                known = ", ".join(sorted(self.fields)) or "none"
                raise serializers.ValidationError(
                    {key: [f"There is no such field; there are: {known}."] for key in sorted(strange)[:10]}
                )
        return super().to_internal_value(data)


#: In a header and not in the address, for addresses end in logs.
FILE_NAME = "X-File-Name"
CHUNK_BYTES = 2**20


class Unread(BaseParser):
    """A body of bytes is left where it is. Without it a POST of a browser ends at the look for a token in a form."""

    media_type = "application/octet-stream"

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> dict[str, Any]:
        return {}


@dataclass(frozen=True)
class SentFile:
    """A file that is the body of a request: its name, its length where the sender said it, and its bytes in pieces."""

    name: str
    length: int | None
    chunks: Iterator[bytes]


def sent_file(request: Request) -> SentFile:
    """The body as a file; it may be larger than the memory, and is read when its chunks are."""
    length = request._request.META.get("CONTENT_LENGTH") or ""
    name = unquote(request.headers.get(FILE_NAME, ""))
    return SentFile(name, int(length) if length.isdecimal() else None, _pieces(request))


def _pieces(request: Request) -> Iterator[bytes]:
    while chunk := request._request.read(CHUNK_BYTES):
        yield chunk
