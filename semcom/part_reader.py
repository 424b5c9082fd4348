"""Read messages from a socket, with no more parts than a message may have."""

from __future__ import annotations

from typing import NamedTuple

import zmq

from semcom.connections import Connections
from semcom.wire import PARTS

WAIT, DO_NOT_WAIT = 0, int(zmq.NOBLOCK)  # an enum would be converted at each call
MANY_PARTS = 4096  # parts of a dropped message to read at a time


class ReadParts(NamedTuple):
    """A received message: its sender, its parts, and the last frame that was read."""

    sender: bytes
    parts: list[bytes]
    last: zmq.Frame


class PartReader:
    """Reads from a socket; each message counts for the connection over which it arrived."""

    def __init__(
        self, socket: zmq.Socket[bytes], connections: Connections, *, router: bool
    ) -> None:
        self._socket = socket
        self._connections = connections
        self._router = router
        self._dropping: bytes | None = None  # whose message has too many parts

    def read(self) -> ReadParts | None:
        """Return the next message, if any; one with too many parts has one more than allowed.

        The remaining parts are dropped in the next calls.
        """
        if self._dropping is not None and not self._drop_rest():
            return None
        try:
            first = self._socket.recv(DO_NOT_WAIT, copy=False)
        except zmq.Again:
            return None
        sender = first.bytes if self._router else b""
        parts, last = [] if self._router else [first.bytes], first
        recv = self._socket.recv
        while last.more and len(parts) <= PARTS:
            last = recv(WAIT, copy=False)
            parts.append(last.bytes)
        connections = self._connections
        if not connections.took(sender, parts):
            connections.opened(_descriptor(first), peer=sender)
            connections.took(sender, parts)
        self._dropping = sender if last.more else None
        return ReadParts(sender, parts, last)

    def _drop_rest(self) -> bool:
        """Discard the rest of a message with too many parts; return whether it is complete.

        There may be millions: each call reads some, and such a message ends its connection.
        """
        for number in range(MANY_PARTS):
            if self._dropping is None:
                return True
            part, many = self._socket.recv(), number == MANY_PARTS - 1
            self._connections.took_too_many(self._dropping, part, hang_up=many)
            if not self._socket.getsockopt(zmq.RCVMORE):
                self._dropping = None
        return self._dropping is None


def _descriptor(frame: zmq.Frame) -> int:
    """Return the connection over which a message arrived; -1 if the peer's ZMTP is too old."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return -1
