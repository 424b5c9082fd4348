"""Which names a server may be asked under.

A page of a stranger's site can have its own name point to this machine (DNS rebinding), and its
browser then takes this server for the stranger's own. Such a request names the stranger's host.
An IP address cannot be pointed elsewhere.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

LOOPBACK_NAME = "localhost"
ANY_HOST = "*"


class AllowedHosts:
    """The hosts that a server at `bound` answers to: those of its place, and further ones."""

    def __init__(self, bound: str, further: Sequence[str] = ()) -> None:
        """Take the address that a server listens on, and names that it is known by."""
        address = _address(_plain(bound))
        self._on_loopback = _plain(bound) == LOOPBACK_NAME or (
            address is not None and address.is_loopback
        )
        own = {LOOPBACK_NAME, _plain(bound)}
        if not self._on_loopback:
            own.add(_plain(socket.gethostname()))
        self._names = own | {_plain(name) for name in further}

    def objection(self, host: str) -> str | None:
        """Return why a Host header is refused; None where it is allowed."""
        name = _plain(host_name(host))
        if not name:
            return "the request names no host"
        if ANY_HOST in self._names or name in self._names:
            return None
        address = _address(name)
        if address is not None and (address.is_loopback or not self._on_loopback):
            return None
        return f"this system is not called {name[:80]!r}; if it is, set metrics_hosts"


def host_name(host: str) -> str:
    """Return a Host header without its port."""
    name, colon, port = host.rpartition(":")
    return name if colon and (port.isdecimal() or not port) and "]" not in port else host


def _plain(name: str) -> str:
    return name.strip().removeprefix("[").removesuffix("]").rstrip(".").lower()


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
