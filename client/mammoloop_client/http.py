"""Talk to the server: bearer token, JSON, problems as exceptions, retries that never do a thing twice."""

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRIES = 6
FIRST_WAIT_SECONDS = 0.5
TIMEOUT_SECONDS = 120.0
_CHUNK = 1 << 20
_TRY_AGAIN = frozenset({429, 502, 503, 504})


class Problem(Exception):
    """The server refused: its status, its stable code, its sentence, and what to do about it."""

    def __init__(self, status: int, body: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(body.get("code") or f"http.{status}")
        self.sentence = str(body.get("detail") or body.get("title") or "The server gave no reason.")
        self.cure = str(body.get("cure") or "")
        self.errors = body.get("errors") or {}
        self.request_id = body.get("request_id")
        super().__init__(f"{self.sentence} ({self.code}){f' {self.errors}' if self.errors else ''}")


class Unreachable(Exception):
    """The server did not answer, several times."""


@dataclass(frozen=True)
class Answer:
    """What came back: the status, the JSON (None for an empty body), the headers."""

    status: int
    data: Any
    headers: Mapping[str, str]


class Client:
    """A server as one account sees it."""

    def __init__(self, url: str, token: str) -> None:
        if not url.startswith(("http://", "https://")):
            raise ValueError("the address of a server begins with http:// or https://")
        self.root = url.rstrip("/") + "/api/v1/"
        self._token = token

    def as_account(self, token: str) -> "Client":
        """The same server as another account sees it."""
        return Client(self.root.removesuffix("/api/v1/"), token)

    def get(self, path: str, **query: Any) -> Any:
        """The JSON at a path."""
        return self.call("GET", path, query=query).data

    def post(self, path: str, body: Any = None, **headers: str) -> Answer:
        """POST with an Idempotency-Key of its own, so that a retry is not a second deed."""
        return self.call("POST", path, body=body or {}, headers={"Idempotency-Key": str(uuid.uuid4()), **headers})

    def patch(self, path: str, body: Any, **headers: str) -> Answer:
        """PATCH; the edit's own id makes a retry harmless."""
        return self.call("PATCH", path, body=body, headers=headers)

    def pages(self, path: str, **query: Any) -> Iterator[dict[str, Any]]:
        """Every row of a list, page by page."""
        page = self.get(path, page_size=200, **query)
        while True:
            yield from page["results"]
            if not page.get("next"):
                return
            asked = dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(page["next"]).query))
            page = self.get(path, **asked)

    def put_file(self, path: str, file: Path, *, name: str = "") -> Any:
        """PUT a file's bytes, streamed from the disk; its name goes in a header, for addresses end in logs."""
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(file.stat().st_size)}
        headers["X-File-Name"] = urllib.parse.quote(name)
        return self.call("PUT", path, headers=headers, file=file).data

    def download(self, path: str, target: Path) -> int:
        """Write what is at a path into a file; its size in bytes."""
        part = target.with_name(f".{target.name}.part")
        with self._open("GET", self._address(path, {}), {}, None) as answer, part.open("wb") as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
        part.replace(target)
        return target.stat().st_size

    def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        file: Path | None = None,
    ) -> Answer:
        """Ask, and ask again where the server was not there or was busy. Raises Problem, Unreachable."""
        address = self._address(path, query or {})
        sent = {**(headers or {})}
        data = None
        if body is not None:
            data = json.dumps(body).encode()
            sent["Content-Type"] = "application/json"
        wait = FIRST_WAIT_SECONDS
        for left in range(TRIES - 1, -1, -1):
            try:
                return self._once(method, address, sent, data, file)
            except Problem as problem:
                if problem.status not in _TRY_AGAIN or not left:
                    raise
            except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
                if not left:
                    raise Unreachable(f"{self.root} did not answer: {error}") from error
            time.sleep(wait)
            wait *= 2
        raise AssertionError("the last try returns or raises")

    def _once(
        self, method: str, address: str, headers: Mapping[str, str], data: bytes | None, file: Path | None
    ) -> Answer:
        if file is None:
            return self._read(method, address, headers, data)
        with file.open("rb") as stream:
            return self._read(method, address, headers, stream)

    def _read(self, method: str, address: str, headers: Mapping[str, str], data: Any) -> Answer:
        with self._open(method, address, headers, data) as answer:
            content = answer.read()
            return Answer(answer.status, json.loads(content) if content else None, dict(answer.headers))

    def _open(self, method: str, address: str, headers: Mapping[str, str], data: Any) -> Any:
        request = urllib.request.Request(address, data=data, method=method)
        for name, value in {"Accept": "application/json", "Authorization": f"Bearer {self._token}", **headers}.items():
            request.add_header(name, value)
        try:
            return urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as error:
            with error:
                raise Problem(error.code, _json_or_empty(error.read())) from None

    def _address(self, path: str, query: Mapping[str, Any]) -> str:
        asked = urllib.parse.urlencode({name: value for name, value in query.items() if value is not None})
        return self.root + path + (f"?{asked}" if asked else "")


def _json_or_empty(content: bytes) -> dict[str, Any]:
    try:
        found = json.loads(content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
