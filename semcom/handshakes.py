"""Interpret failed handshakes, which libzmq reports to socket monitors (no sockets here).

What each end sees, tried with libzmq 4.3.5:

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
HANG_UPS = 5  # in a row, before it is looked at who is there
CONFIRMATIONS = 3
GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x01" + b"CURVE".ljust(20, b"\0") + bytes(32)
PROBE_TIMEOUT_S = 1.0


def refusal_reason(event: Event, value: int) -> tuple[SecurityReason, str] | None:
    """Return why a server's handshake failed, where that is not the authenticator's own doing."""
    if event == "protocol":
        if value == MECHANISM_MISMATCH:
            return "no_key", "a peer dialled without a key"
        if value in (CRYPTOGRAPHIC, KEY_EXCHANGE):
            return "wrong_server_key", "a peer dialled with another server's key"
        return "malformed", f"a handshake that is none (libzmq's {value:#x})"
    if event == "no_detail":
        if value == errno.EFAULT:
            return "dead_authenticator", "nobody answers for the keys"
        return "broken_off", f"a handshake was broken off ({os.strerror(value)})"
    return None


class HandshakeWatch:
    """The client's side: turns what would be silence into an error.

    A server that hangs up during handshakes may be one that is just killed, or a cut network:
    only if a CURVE server answers there, time and again, it is the key.
    """

    def __init__(self, name: str, *, keyed: bool, greets: Callable[[], bool]) -> None:
        self._name = name
        self._keyed = keyed
        self._greets = greets
        self._hang_ups = 0
        self._confirmed = 0

    def take(self, event: Event, value: int) -> None:
        """Take an event of the monitor.

        Raises:
            AuthenticationError: it will never be better.
        """
        if event == "disconnected":
            return
        if event == "succeeded":
            self._hang_ups = self._confirmed = 0
        elif event == "auth":
            raise AuthenticationError(
                f"{self._name} refuses the key of this process: unknown there, or revoked"
            )
        elif event == "protocol" and value == MECHANISM_MISMATCH:
            raise AuthenticationError(
                f"{self._name} speaks without keys, and this process only with them"
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
                f"{self._name} hung up on {self._hang_ups} handshakes: its key is not the one "
                "that this process knows it by, or nobody there answers for the keys"
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
