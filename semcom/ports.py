"""Free TCP ports of this machine."""

from __future__ import annotations

import random
import socket

from semcom.errors import PortInUseError

FREE_PORTS = range(15_000, 32_000)


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """Return distinct TCP ports of `host` on which no process listens right now.

    They lie below the range that systems use for outgoing connections, so that no connection can
    occupy one of them before it is bound.

    Raises:
        PortInUseError: hardly any port is free.
    """
    found: list[int] = []
    for port in random.SystemRandom().sample(FREE_PORTS, k=1000):
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            try:
                probe.bind((host, port))
            except OSError:
                continue
        found.append(port)
        if len(found) == count:
            return found
    raise PortInUseError(f"no {count} free ports on {host}; stop some processes")
