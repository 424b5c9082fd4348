"""Report what a process waits for: every few seconds at first, then less and less often.

Channel and orchestrator may start last and may be gone for a while, so waiting for them is no
error. But a name that does not resolve or a port without a listener looks the same from here.
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
        """Return whether to report now; what comes and goes at short intervals is limited, too."""
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
    """State of a server that a process dials."""

    def __init__(self, name: str, address: str, own: Speaker | None) -> None:
        """Begin with silence; `own` is whom the key of this process lets speak.

        Raises:
            ConfigurationError: no server can be dialled there.
        """
        host, _, port = address.removeprefix("tcp://").rpartition(":")
        if host == "*" or not port.strip("0"):
            raise ConfigurationError(
                f"cannot connect {name} to {address}: * and port 0 are for those who listen; "
                "name the host and the port to dial"
            )
        self.name = name
        self.address = address
        self.heard_s = time.monotonic()  # when it last said something that is no refusal
        self.state = ""  # of the connection; empty: nobody has answered
        self._own = own
        self._trouble = ""  # what its latest message was, where it was no good one

    def take(self, event: Event) -> None:
        """Take an event of the connection."""
        if event == "succeeded":
            self.state = "connected"
        elif event != "disconnected":
            self.state = "it hangs up on handshakes"
        elif self.state == "connected":
            self.state = ""

    def hear(self, message: Message) -> None:
        """Take a message of the server.

        Raises:
            AuthenticationError: it knows this process's key as another peer's.
        """
        if not isinstance(message, Refusal):
            self.heard_s, self._trouble = time.monotonic(), ""
            return
        self._trouble = f"but refuses: {message.detail}"
        if self._own is not None and is_refused_hello(self._own, message):
            raise AuthenticationError(
                f"{self.name} {self.address} knows the key of this process as another peer's: "
                f"{message.detail}"
            )

    def misread(self, error: ProtocolError) -> None:
        """Take bytes of the server that are no message."""
        self._trouble = f"but sends what cannot be read: {error.detail}"
        if error.reason == "version":
            self._trouble += "; use one version of this package at both ends"

    @property
    def answer(self) -> str:
        """Return how the server has answered so far; empty: not at all."""
        if not self.state:
            return ""
        return f"{self.state}, {self._trouble or 'but no word of welcome'}"

    def say(self, why: str) -> None:
        """Log that the server is awaited."""
        server = SERVERS.get(self.name, self.name)
        logger.warning(f"waiting for {server}, {self.name} {self.address}: {why}")


class ConnectionWatch:
    """Says for which of its servers a process waits, and what stands in the way."""

    def __init__(self, contacts: Iterable[Contact | None]) -> None:
        self._watched = [(each, Reminder(0.0)) for each in contacts if each is not None]
        self._probes: dict[str, Probe] = {}

    def tick(self, now_s: float) -> None:
        """Look at how long each server has been silent."""
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
    """Looks at an address on a thread of its own: a name server may take its time."""

    def __init__(self, address: str) -> None:
        self.found: str | None = None
        self._address = address
        threading.Thread(target=self._look, name="probe", daemon=True).start()

    def _look(self) -> None:
        self.found = look_at(self._address)


def look_at(address: str) -> str:
    """Return what stands in the way of a connection to `[tcp://]host:port`."""
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
