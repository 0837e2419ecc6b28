"""The one client by which the server calls addresses that people entered.

Every connection goes to an address that was resolved and checked right before it; redirects and proxies are not
followed; an answer may take only so long and hold only so much.
"""

import time
from collections.abc import Sequence
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

from archive.address import resolved
from archive.errors import ArchiveNonsense, ArchiveSlow

MOST_BYTES = 2**30
#: An answer that trickles never times out by itself: it may take this many times the time of one read.
PATIENCE = 20
_CHUNK = 2**18


class _CheckedMixin:
    """Connects to the address that was checked, under the name that was asked for (which TLS still verifies)."""

    networks: Sequence[str] = ()

    def _new_conn(self) -> Any:
        name = self._dns_host  # type: ignore[has-type] # the connection has it that this is mixed into; below too
        self._dns_host = resolved(name, self.port, self.networks)  # type: ignore[attr-defined]
        try:
            return super()._new_conn()  # type: ignore[misc]
        finally:
            self._dns_host = name


class _CheckedAdapter(HTTPAdapter):
    def __init__(self, networks: Sequence[str]) -> None:
        plain = type("CheckedHTTP", (_CheckedMixin, HTTPConnection), {"networks": tuple(networks)})
        secure = type("CheckedHTTPS", (_CheckedMixin, HTTPSConnection), {"networks": tuple(networks)})
        self._pools = {
            "http": type("CheckedHTTPPool", (HTTPConnectionPool,), {"ConnectionCls": plain}),
            "https": type("CheckedHTTPSPool", (HTTPSConnectionPool,), {"ConnectionCls": secure}),
        }
        super().__init__(max_retries=0)

    def init_poolmanager(self, connections: int, maxsize: int, block: bool = False, **kwargs: Any) -> None:
        self.poolmanager = PoolManager(num_pools=connections, maxsize=maxsize, block=block, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools


class Outbound(requests.Session):
    """A session for one archive. Raises AddressRefused, ArchiveDown, ArchiveSlow, ArchiveNonsense while it reads."""

    def __init__(self, *, networks: Sequence[str], timeout_seconds: float) -> None:
        super().__init__()
        self.trust_env = False  # no proxy and no credentials out of the server's own environment
        self.max_redirects = 0
        self.mount("http://", _CheckedAdapter(networks))
        self.mount("https://", _CheckedAdapter(networks))
        self._timeout = timeout_seconds

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
        kwargs |= {"stream": True, "timeout": (min(10.0, self._timeout), self._timeout)}
        response = super().send(request, **kwargs)
        if not response.is_redirect:
            response._content = self._read(response)
        return response

    def _read(self, response: requests.Response) -> bytes:
        end = time.monotonic() + PATIENCE * self._timeout
        parts, size = [], 0
        for part in response.iter_content(_CHUNK):
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:
                response.close()
                raise ArchiveNonsense("The archive's answer has no end.")
            if time.monotonic() > end:
                response.close()
                raise ArchiveSlow()
        return b"".join(parts)
