"""Interpret failed handshakes, which libzmq reports to socket monitors (no sockets here).

Events at each end, as observed with libzmq 4.3.5:

| what                 | server's event           | client's event          | client   |
|---|---|---|---|
| key refused by ZAP   | (authenticator knows)    | AUTH 400                | gives up |
| client without a key | PROTOCOL mismatch, or    | PROTOCOL mismatch       | gives up |
|                      | NO_DETAIL if that one saw it first |               |          |
| wrong server key     | PROTOCOL cryptographic   | NO_DETAIL, closed       | dials on |
| no answer to ZAP     | NO_DETAIL EFAULT         | NO_DETAIL, closed       | dials on |
| server was killed    |                          | NO_DETAIL, closed       | dials on |
| server stands still  |                          | NO_DETAIL EAGAIN        | dials on |
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from typing import Literal

from semcom.errors import AuthenticationError
from semcom.keys import SecurityReason

Event = Literal["succeeded", "auth", "protocol", "no_detail", "disconnected"]

CRYPTOGRAPHIC, KEY_EXCHANGE, MECHANISM_MISMATCH = 0x11000001, 0x10000003, 0x11000002
HANG_UPS = 5  # in a row, before the server is probed
CONFIRMATIONS = 3
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
PROBE_TIMEOUT_S = 1.0


def refusal_reason(event: Event, value: int) -> tuple[SecurityReason, str] | None:
    """Return why a server's handshake failed, unless the authenticator refused it."""
    if event == "protocol":
        if value == MECHANISM_MISMATCH:
            return "no_key", "a peer connected without a key"
        if value in (CRYPTOGRAPHIC, KEY_EXCHANGE):
            return "wrong_server_key", "a peer connected with another server's key"
        return "malformed", f"an invalid handshake (libzmq's {value:#x})"
    if event == "no_detail":
        if value == errno.EFAULT:
            return "dead_authenticator", "the authenticator does not answer"
        return "broken_off", f"a handshake was interrupted ({os.strerror(value)})"
    return None


class HandshakeWatch:
    """The client's side: turns repeated failures, which would otherwise be silent, into an error.

    A server that disconnects during handshakes may have been killed, or the network may have
    failed: the key is to blame only if a CURVE server answers there repeatedly.
    """

    def __init__(self, name: str, *, keyed: bool, greets: Callable[[], bool]) -> None:
        self._name = name
        self._keyed = keyed
        self._greets = greets
        self._hang_ups = 0
        self._confirmed = 0

    def take(self, event: Event, value: int) -> None:
        """Process an event of the monitor.

        Raises:
            AuthenticationError: retrying cannot help.
        """
        if event == "disconnected":
            return
        if event == "succeeded":
            self._hang_ups = self._confirmed = 0
        elif event == "auth":
            raise AuthenticationError(
                f"{self._name} refuses the key of this process: it is unknown there, or revoked"
            )
        elif event == "protocol" and value == MECHANISM_MISMATCH:
            raise AuthenticationError(
                f"{self._name} connects without keys, but this process requires them"
                if self._keyed
                else f"{self._name} asks for a key: set security.keys"
            )
        elif self._keyed and not (event == "no_detail" and value == errno.EAGAIN):
            self._hung_up()

    def _hung_up(self) -> None:
        self._hang_ups += 1
        if self._hang_ups % HANG_UPS:
            return
        self._confirmed = self._confirmed + 1 if self._greets() else 0
        if self._confirmed >= CONFIRMATIONS:
            raise AuthenticationError(
                f"{self._name} interrupted {self._hang_ups} handshakes: its key is not the one "
                "that this process expects, or its authenticator does not answer"
            )


def greets_with_curve(address: str) -> bool:
    """Return whether a ZeroMQ server with CURVE answers at `tcp://host:port`; waits up to 1 s."""
    host, _, port = address.removeprefix("tcp://").rpartition(":")
    heard = b""
    try:
        with socket.create_connection((host, int(port)), timeout=PROBE_TIMEOUT_S) as probe:
            probe.sendall(GREETING)
            while len(heard) < 32:
                chunk = probe.recv(64)
                if not chunk:
                    return False
                heard += chunk
    except OSError:
        return False
    return heard[12:32].rstrip(b"\0") == b"CURVE"
