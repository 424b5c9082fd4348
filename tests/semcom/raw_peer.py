"""A peer on a bare TCP connection that speaks ZMTP 3 by itself, and keeps to no rule of it."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

GREETING = b"\xff" + bytes(8) + b"\x7f\x03\x00NULL" + bytes(48)
READY = b"\x04\x29\x05READY\x0bSocket-Type\x00\x00\x00\x06DEALER\x08Identity\x00\x00\x00\x00"
MORE, LONG = 1, 2


def frame(part: bytes, *, more: bool) -> bytes:
    """One part of a message on the wire."""
    flags = MORE * more
    if len(part) <= 255:
        return bytes((flags, len(part))) + part
    return bytes((flags | LONG,)) + struct.pack(">Q", len(part)) + part


def message(parts: Sequence[bytes]) -> bytes:
    """A whole message on the wire."""
    last = len(parts) - 1
    return b"".join(frame(part, more=number < last) for number, part in enumerate(parts))


class RawPeer:
    """Sends what it likes; reads nothing that it is not told to read."""

    def __init__(self, port: int, *, receive_bytes: int | None = None) -> None:
        self.line = socket.socket()
        if receive_bytes is not None:
            self.line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.line.connect(("127.0.0.1", port))
        self.line.settimeout(10.0)
        self.sent = 0
        self.stopped = threading.Event()
        self.line.sendall(GREETING)
        self._read(len(GREETING))
        self.line.sendall(READY)
        self._read(self._read(2)[1])  # a short command
        self.line.settimeout(0.2)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        self.line.close()

    def send(self, data: bytes) -> bool:
        """Send bytes; False where the other end takes no more or has hung up."""
        with contextlib.suppress(OSError):
            self.sent += self.line.send(data)
            return True
        return False

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self.line.recv(count - len(data))
            assert more, "hung up in the handshake"
            data += more
        return data

    def flood(self, data: bytes) -> None:
        """Send the same bytes again and again, until it is stopped or hung up on."""
        whole, at = memoryview(data), 0
        while not self.stopped.is_set():
            try:
                count = self.line.send(whole[at:])
            except TimeoutError:
                continue
            except OSError:
                return
            at = (at + count) % len(whole)
            self.sent += count


@contextlib.contextmanager
def flooding(*floods: tuple[RawPeer, bytes]) -> Iterator[None]:
    """Let peers send on threads of their own meanwhile."""
    threads = [threading.Thread(target=peer.flood, args=(data,)) for peer, data in floods]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        for peer, _ in floods:
            peer.stopped.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
