"""Files on their way out: read in pieces off the event loop, named by their hash, kept by the browser for ever."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from uuid import uuid4

from django.http import HttpRequest, HttpResponse, HttpResponseNotModified, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.utils.http import parse_etags

_CHUNK = 2**18
#: The bytes under a hash never change. Private: no proxy may hand them to somebody who was not asked who they are.
_FOR_EVER = "private, max-age=31536000, immutable"


async def pieces(path: Path) -> AsyncIterator[bytes]:
    """A file in pieces; each is read in a thread, so that other requests go on meanwhile."""
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while chunk := await asyncio.to_thread(file.read, _CHUNK):
            yield chunk
    finally:
        await asyncio.to_thread(file.close)


def send(request: HttpRequest, path: Path, *, content_type: str, tag: str) -> HttpResponseBase:
    """A file that never changes under its tag; 304 where the browser has it. Whoever asks was allowed to before."""
    response: HttpResponseBase
    if _has(request, tag):
        response = HttpResponseNotModified()
    elif request.method == "HEAD":
        response = HttpResponse(content_type=content_type)
        response["Content-Length"] = path.stat().st_size
    else:
        response = StreamingHttpResponse(pieces(path), content_type=content_type)
        response["Content-Length"] = path.stat().st_size
    return _kept(response, tag)


def send_parts(request: HttpRequest, parts: Sequence[tuple[Path, str]], *, kind: str, tag: str) -> HttpResponseBase:
    """Files as one multipart/related answer (PS3.18 8.7.4), one at a time; `parts` are (file, its Content-Type)."""
    if _has(request, tag):
        return _kept(HttpResponseNotModified(), tag)
    boundary = uuid4().hex
    heads = [f"--{boundary}\r\nContent-Type: {content_type}\r\n\r\n".encode() for _, content_type in parts]
    end = f"--{boundary}--\r\n".encode()

    async def body() -> AsyncIterator[bytes]:
        for head, (path, _) in zip(heads, parts, strict=True):
            yield head
            async for chunk in pieces(path):
                yield chunk
            yield b"\r\n"
        yield end

    content_type = f'multipart/related; type="{kind}"; boundary={boundary}'
    response = StreamingHttpResponse(body(), content_type=content_type)
    length = sum(len(head) + path.stat().st_size + 2 for head, (path, _) in zip(heads, parts, strict=True))
    response["Content-Length"] = length + len(end)
    return _kept(response, tag)


def _has(request: HttpRequest, tag: str) -> bool:
    known = parse_etags(request.headers.get("If-None-Match", ""))
    return f'"{tag}"' in known


def _kept(response: HttpResponseBase, tag: str) -> HttpResponseBase:
    response["ETag"] = f'"{tag}"'
    response["Cache-Control"] = _FOR_EVER
    response["Vary"] = "Accept, Authorization, Cookie"
    return response
