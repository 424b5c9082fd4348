"""What a process waits for is said: every few seconds at first, then more and more seldom.

Channel and orchestrator may start last and may be gone for a while, so waiting for them is no
error. But a name that does not resolve or a port where nobody listens looks the same from here.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Protocol

FIRST_S = 3.0
LONGEST_S = 300.0  # a process that waits for days must not fill the disk with saying so
PROBE_TIMEOUT_S = 2.0
SERVERS = {"control": "the orchestrator", "uplink": "the channel", "downlink": "the channel"}
logger = logging.getLogger("semcom.waits")


def pauses() -> Iterator[float]:
    """Yield the seconds from one line to the next."""
    pause_s = FIRST_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, LONGEST_S)


class Reminder:
    """When it is time to say again that something is awaited."""

    def __init__(self, first_s: float = FIRST_S) -> None:
        self._first_s = first_s
        self._waits = False
        self._next_s = self._last_s = float("-inf")
        self._pauses = pauses()

    def due(self, awaited: bool, now_s: float) -> bool:
        """Whether to say it now. What comes and goes at short intervals is said no oftener."""
        if not awaited:
            self._waits = False
            return False
        if not self._waits:
            self._waits = True
            if now_s - self._last_s > LONGEST_S:
                self._pauses = pauses()
            self._next_s = max(self._next_s, now_s + self._first_s)
        if now_s < self._next_s:
            return False
        self._last_s, self._next_s = now_s, now_s + next(self._pauses)
        return True


class Watched(Protocol):
    """An endpoint, as far as it is watched here."""

    name: str
    heard_s: float
    address: str

    @property
    def dials(self) -> bool:
        """Whether it dials a server."""
        ...

    @property
    def connection(self) -> str:
        """How far the connection has come; empty: nobody has answered."""
        ...


class ConnectionWatch:
    """Says for which of its servers a process waits, and what stands in the way."""

    def __init__(self, endpoints: Sequence[Watched]) -> None:
        self._dialled = [(each, Reminder(0.0)) for each in endpoints if each.dials]
        self._probes: dict[str, Probe] = {}

    def tick(self, now_s: float) -> None:
        """Look at how long each server has been silent."""
        for endpoint, reminder in self._dialled:
            silent = now_s - endpoint.heard_s > FIRST_S
            probe = self._probes.get(endpoint.name)
            if reminder.due(silent, now_s):
                if endpoint.connection:
                    say_awaited(endpoint, f"{endpoint.connection}, but no word of welcome")
                elif probe is None:
                    self._probes[endpoint.name] = Probe(endpoint.address)
            elif probe is not None and probe.found is not None:
                del self._probes[endpoint.name]
                if silent:
                    say_awaited(endpoint, probe.found)


def say_awaited(endpoint: Watched, why: str) -> None:
    """Log whom the process waits for."""
    server = SERVERS.get(endpoint.name, endpoint.name)
    logger.warning(f"waiting for {server}, {endpoint.name} {endpoint.address}: {why}")


class Probe:
    """Looks at an address on a thread of its own: a name server may take its time."""

    def __init__(self, address: str) -> None:
        self.found: str | None = None
        self._address = address
        threading.Thread(target=self._look, name="probe", daemon=True).start()

    def _look(self) -> None:
        self.found = look_at(self._address)


def look_at(address: str) -> str:
    """Return what stands in the way of a connection to `tcp://host:port`."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    try:
        number = socket.gethostbyname(host)  # IPv4, which is what the sockets speak
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no host name"
        return f"the name {host} does not resolve ({reason})"
    try:
        with socket.create_connection((number, int(port)), timeout=PROBE_TIMEOUT_S):
            return "something listens there, but does not answer as it should"
    except TimeoutError:
        return "no answer (connection timed out)"
    except OSError as error:
        return f"nobody listens there ({(error.strerror or str(error)).lower()})"
