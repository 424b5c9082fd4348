"""Report what a process waits for: every few seconds at first, then less and less often.

Channel and orchestrator may start last or be absent for a while, so waiting for them is not an
error. But a name that does not resolve, or a port without a listener, looks the same to a socket.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterable, Iterator

from semcom.errors import AuthenticationError, ConfigurationError, ProtocolError
from semcom.handshakes import Event
from semcom.messages import Message, Refusal
from semcom.speakers import Speaker, is_refused_hello

FIRST_S = 3.0
LONGEST_S = 300.0  # a process that waits for days must not fill the disk with log lines
PROBE_TIMEOUT_S = 2.0
SERVERS = {"control": "the orchestrator", "uplink": "the channel", "downlink": "the channel"}
logger = logging.getLogger("semcom.waits")


def pauses() -> Iterator[float]:
    """Yield the pauses between lines in seconds."""
    pause_s = FIRST_S
    while True:
        yield pause_s
        pause_s = min(2 * pause_s, LONGEST_S)


class Reminder:
    """Decides when to report again that something is awaited."""

    def __init__(self, first_s: float = FIRST_S) -> None:
        self._first_s = first_s
        self._waits = False
        self._next_s = self._last_s = float("-inf")
        self._pauses = pauses()

    def due(self, awaited: bool, now_s: float) -> bool:
        """Return whether to report now; also limits causes that change quickly."""
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


class Contact:
    """State of a server to which a process connects."""

    def __init__(self, name: str, address: str, own: Speaker | None) -> None:
        """Start without contact; `own` is the peer to which the key of this process belongs.

        Raises:
            ConfigurationError: no server can have this address.
        """
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        if host == "*" or not port.strip("0"):
            raise ConfigurationError(
                f"cannot connect {name} to {address}: * and port 0 are only for listening; "
                "give the host and the port to connect to"
            )
        self.name = name
        self.address = address
        self.heard_s = time.monotonic()  # time of its last message that was not a refusal
        self.state = ""  # of the connection; empty: no answer so far
        self._own = own
        self._trouble = ""  # its latest message, if it was a refusal or invalid

    def take(self, event: Event) -> None:
        """Process an event of the connection."""
        if event == "succeeded":
            self.state = "connected"
        elif event != "disconnected":
            self.state = "it closes connections during the handshake"
        elif self.state == "connected":
            self.state = ""

    def hear(self, message: Message) -> None:
        """Process a message of the server.

        Raises:
            AuthenticationError: there, this process's key belongs to another peer.
        """
        if not isinstance(message, Refusal):
            self.heard_s, self._trouble = time.monotonic(), ""
            return
        self._trouble = f"but refuses: {message.detail}"
        if self._own is not None and is_refused_hello(self._own, message):
            raise AuthenticationError(
                f"{self.name} {self.address} has the key of this process registered for "
                "another peer: "
                f"{message.detail}"
            )

    def misread(self, error: ProtocolError) -> None:
        """Note bytes from the server that are not a message."""
        self._trouble = f"but sends what cannot be read: {error.detail}"
        if error.reason == "version":
            self._trouble += "; use one version of this package at both ends"

    @property
    def answer(self) -> str:
        """Return how the server has answered so far; empty if it has not."""
        if not self.state:
            return ""
        return f"{self.state}, {self._trouble or 'but sends no Welcome'}"

    def say(self, why: str) -> None:
        """Log that the server is awaited."""
        server = SERVERS.get(self.name, self.name)
        logger.warning(f"waiting for {server}, {self.name} {self.address}: {why}")


class ConnectionWatch:
    """Reports which servers a process waits for, and why."""

    def __init__(self, contacts: Iterable[Contact | None]) -> None:
        self._watched = [(each, Reminder(0.0)) for each in contacts if each is not None]
        self._probes: dict[str, Probe] = {}

    def tick(self, now_s: float) -> None:
        """Check how long each server has been silent."""
        for contact, reminder in self._watched:
            silent = now_s - contact.heard_s > FIRST_S
            probe = self._probes.get(contact.name)
            if reminder.due(silent, now_s):
                if contact.answer:
                    contact.say(contact.answer)
                elif probe is None:
                    self._probes[contact.name] = Probe(contact.address)
            elif probe is not None and probe.found is not None:
                del self._probes[contact.name]
                if silent:
                    contact.say(probe.found)


class Probe:
    """Probes an address on a separate thread, because name resolution may be slow."""

    def __init__(self, address: str) -> None:
        self.found: str | None = None
        self._address = address
        threading.Thread(target=self._look, name="probe", daemon=True).start()

    def _look(self) -> None:
        self.found = look_at(self._address)


def look_at(address: str) -> str:
    """Return what prevents a connection to `[tcp://]host:port`."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    try:
        number = socket.gethostbyname(host)  # IPv4, as the sockets use
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "no host name"
        return f"the name {host} does not resolve ({reason})"
    try:
        with socket.create_connection((number, int(port)), timeout=PROBE_TIMEOUT_S):
            return "something listens there, but does not answer as it should"
    except TimeoutError:
        return "no answer (connection timed out)"
    except OSError as error:
        return f"no process listens there ({(error.strerror or str(error)).lower()})"
