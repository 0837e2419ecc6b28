"""Which addresses the server may call: asked of the address that a name resolves to, each time it connects."""

import ipaddress
import socket
from collections.abc import Sequence
from urllib.parse import urlsplit

from django.conf import settings

from archive.errors import AddressRefused, ArchiveDown

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def require_address(url: str) -> None:
    """Raises AddressRefused for what is no plain http or https address; credentials belong in their own fields."""
    try:
        parts = urlsplit(url)
        port_is_fine = parts.port is None or 0 < parts.port < 65536
    except ValueError as error:
        raise AddressRefused() from error
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_fine:
        raise AddressRefused()
    if parts.username or parts.password or parts.query or parts.fragment:
        raise AddressRefused("User, password and query do not belong in the address.")


def require_networks(networks: Sequence[str]) -> list[str]:
    """Networks in their usual form (`10.1.0.0/16`, `127.0.0.1/32`). Raises AddressRefused."""
    try:
        return [str(ipaddress.ip_network(text.strip(), strict=False)) for text in networks]
    except ValueError as error:
        raise AddressRefused("A network looks like 10.1.0.0/16 or 192.168.1.20.") from error


def allowed(address: Address, networks: Sequence[str]) -> bool:
    """Whether the server may connect to an address.

    Where the administrator listed networks, it must lie in one. Else only public addresses will do: local ones lead to
    services that trust whoever is inside (cloud metadata, a database without a password).
    """
    mapped = getattr(address, "ipv4_mapped", None)
    address = mapped or address
    if networks:
        nets = [ipaddress.ip_network(text) for text in networks]
        return any(address.version == net.version and address in net for net in nets)
    if address.is_multicast or address.is_unspecified or (address.is_reserved and address.version == 4):
        return False
    return settings.PACS_ALLOW_PRIVATE or address.is_global


def resolved(host: str, port: int, networks: Sequence[str]) -> str:
    """The address to connect to. Raises AddressRefused if one of the host's addresses is not allowed, ArchiveDown.

    The answer is what the caller connects to: a name that says something else a moment later changes nothing.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError as error:
        raise ArchiveDown() from error
    addresses = [ipaddress.ip_address(entry[4][0]) for entry in found]
    if not addresses or not all(allowed(address, networks) for address in addresses):
        raise AddressRefused()
    return str(addresses[0])
