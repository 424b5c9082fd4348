"""The parts of one message after another from a socket, never more than a message may have."""

from __future__ import annotations

from typing import NamedTuple

import zmq

from semcom.connections import Connections
from semcom.wire import PARTS

WAIT, DO_NOT_WAIT = 0, int(zmq.NOBLOCK)  # a flag as an enum is converted at each call
MANY_PARTS = 4096  # of a message that is dropped, at a time


class ReadParts(NamedTuple):
    """A message as it came: from whom, its parts, and the last frame that was read."""

    sender: bytes
    parts: list[bytes]
    last: zmq.Frame


class PartReader:
    """Reads from a socket; each message counts for the connection that it came by."""

    def __init__(
        self, socket: zmq.Socket[bytes], connections: Connections, *, router: bool
    ) -> None:
        self._socket = socket
        self._connections = connections
        self._router = router
        self._dropping: bytes | None = None  # whose message has more parts than any has

    def read(self) -> ReadParts | None:
        """Return the next message if one is there; one of too many parts has one more than may be.

        What is beyond that is dropped in the next calls.
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
        """Read the rest of a message of too many parts, keeping none; whether all of it is read.

        There may be millions: each call reads some, and one that is so long ends its connection.
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
    """The connection that a message came by; -1 where the peer speaks too old a ZMTP to tell."""
    try:
        return int(frame.get(zmq.SRCFD))
    except zmq.ZMQError:
        return -1
