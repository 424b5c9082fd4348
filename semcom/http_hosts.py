"""Host names under which a server may be addressed.

A foreign site can make its own name resolve to this machine (DNS rebinding), and a browser then
takes this server for that site. Such a request names the foreign host. An IP address cannot be
redirected in this way.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Sequence

LOOPBACK_NAME = "localhost"
ANY_HOST = "*"


class AllowedHosts:
    """The host names that a server bound to `bound` accepts, and further ones."""

    def __init__(self, bound: str, further: Sequence[str] = ()) -> None:
        """Take the address on which a server listens, and its further names."""
        address = _address(_plain(bound))
        self._on_loopback = _plain(bound) == LOOPBACK_NAME or (
            address is not None and address.is_loopback
        )
        own = {LOOPBACK_NAME, _plain(bound)}
        if not self._on_loopback:
            own.add(_plain(socket.gethostname()))
        self._names = own | {_plain(name) for name in further}

    def objection(self, host: str) -> str | None:
        """Return why a Host header is refused; None if it is allowed."""
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
