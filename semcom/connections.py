"""Count the bytes in the queues of a socket's connections, and close connections with too many.

The kernel counts the bytes that a connection has received and that its other end has acknowledged.
Received bytes that this process has not yet taken wait to be read, even if they belong to a message
that never ends; sent bytes that are not acknowledged wait to be delivered. A message of many small
parts takes far more memory than bytes, so a bound socket also watches the memory of its process.
Without these counts, as on systems other than Linux, only the bounds in messages apply.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import logging
import math
import os
import socket
import struct
import sys
import termios
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from semcom.bounds import MAX_CONNECTIONS, Bounds
from semcom.log_limit import KindLimit

CHECK_EVERY_S = 0.1
CHECK_OFTEN_S = 0.01  # while a lot waits
OFTEN_BYTES = 1 << 20
LOG_EVERY_S = 10.0
SETTLE_S = 0.2  # within which the library frees a connection's memory
AMPLIFICATION = 32  # bytes of memory for a byte on the wire, at most: 64 for an empty part of two
SHORT_BYTES, SHORT_OVERHEAD, LONG_OVERHEAD = 255, 2, 9  # of a part, in ZMTP
CURVE_OVERHEAD = 33  # of a part: name, nonce, authenticator and flags
COUNTS = struct.Struct("=QQ")  # acknowledged, received
WAITING = struct.Struct("=i")
COUNTS_AT = 120  # in struct tcp_info
STATM = Path("/proc/self/statm")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
logger = logging.getLogger("semcom.connections")

Remote = tuple[object, ...]  # the other end of a connection, and this one


class Counts(NamedTuple):
    """The kernel's counts of a connection."""

    remote: Remote
    received: int  # and read from the kernel
    acknowledged: int


@dataclass
class Connection:
    """One connection of a socket: bytes on the wire."""

    fd: int
    remote: Remote
    received: int = 0
    taken: int = 0
    put: int = 0
    acknowledged: int = 0
    peer: bytes | None = None
    ended: bool = False  # closed here, but still open in the library

    @property
    def unread(self) -> int:
        """Bytes received but not yet taken."""
        return 0 if self.ended else self.received - self.taken

    @property
    def unsent(self) -> int:
        """Bytes sent that have not reached the other end."""
        return self.put - self.acknowledged

    def update(self, counts: Counts) -> None:
        """Take the kernel's counts, without the bytes of handshakes."""
        self.received, self.acknowledged = counts.received, counts.acknowledged
        self.taken = min(self.taken, self.received)
        self.put = max(self.put, self.acknowledged)


def _ends(line: socket.socket) -> Remote:
    """Return both ends of a connection; after a reconnect, its port at this end differs."""
    return (*line.getpeername(), *line.getsockname())


@contextlib.contextmanager
def _same(fd: int) -> Iterator[socket.socket]:
    """Yield the socket of a descriptor without taking ownership.

    A duplicate descriptor is used, so that the number cannot refer to another connection meanwhile.
    If the process has no descriptor left, the original is used, because connections must still be
    counted and closed.
    """
    try:
        own = os.dup(fd)
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        same = socket.socket(fileno=fd)
        try:
            yield same
        finally:
            same.detach()
    else:
        with socket.socket(fileno=own) as same:
            yield same


def tcp_counts(fd: int) -> Counts | None:
    """Return the counts of a connection; None if it does not exist or is not counted."""
    try:
        with _same(fd) as same:
            remote = _ends(same)
            info = same.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
            # First the bytes received, then those still in the kernel, so the difference is never
            # too small.
            here = WAITING.unpack(fcntl.ioctl(same, termios.FIONREAD, bytes(WAITING.size)))[0]
    except OSError:
        return None
    if sys.platform != "linux" or len(info) < COUNTS_AT + COUNTS.size:
        return None
    acknowledged, received = COUNTS.unpack_from(info, COUNTS_AT)
    return Counts(remote, max(0, received - here), acknowledged)


def resident_bytes() -> int:
    """Return the resident memory of this process; 0 if the system does not report it."""
    try:
        return int(STATM.read_text().split()[1]) * PAGE_BYTES
    except (OSError, ValueError, IndexError):
        return 0


def hang_up(fd: int, remote: Remote) -> None:
    """Close the connection with `remote` if `fd` still refers to it.

    It is reset: after a mere shutdown, the library would continue to read from a peer that
    continues to send.
    """
    try:
        with _same(fd) as same:
            if _ends(same) == remote:
                nowhere = ctypes.create_string_buffer(struct.pack("=H", socket.AF_UNSPEC), 16)
                if ctypes.CDLL(None).connect(same.fileno(), nowhere, 16) != 0:
                    same.shutdown(socket.SHUT_RDWR)
    except OSError:
        return


def give_back_memory() -> None:
    """Return freed memory that the allocator keeps to the system, where possible."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


class Kernel(NamedTuple):
    """Queries to the operating system."""

    read: Callable[[int], Counts | None]
    end: Callable[[int, Remote], None]
    memory: Callable[[], int]
    trim: Callable[[], None]


KERNEL = Kernel(tcp_counts, hang_up, resident_bytes, give_back_memory)


class Connections:
    """The connections of one socket."""

    def __init__(
        self,
        name: str,
        bounds: Bounds,
        *,
        keyed: bool = False,
        bound: bool = False,
        kernel: Kernel = KERNEL,
    ) -> None:
        self.hung_up = 0
        self._name = name
        self._bounds = bounds
        self._extra = CURVE_OVERHEAD if keyed else 0
        self._longest_short = SHORT_BYTES - self._extra
        self._memory = kernel.memory if bound else None
        self._trim = kernel.trim
        self._quiet_memory = 0  # when hardly anything was waiting
        self._trim_due = False  # whether anything has waited since then
        self._settled_s = -math.inf  # until then, memory of closed connections is being released
        self._read = kernel.read
        self._end = kernel.end
        self._open: dict[int, Connection] = {}
        self._of: dict[bytes, Connection] = {}
        self._unsent = 0
        self._next_check_s = 0.0
        self._log_limit = KindLimit(every_s=LOG_EVERY_S)

    def __len__(self) -> int:
        return len(self._open)

    def opened(self, fd: int, *, peer: bytes | None = None) -> Connection | None:
        """Note a new connection; its counts are None if its bytes are not counted."""
        counts = self._read(fd)
        if counts is None:
            return None
        known = self._open.get(fd)
        if known is None or known.remote != counts.remote:
            self._forget(fd)
            known = self._open[fd] = Connection(fd, counts.remote)
            self._next_check_s = 0.0
        if peer is not None:
            known.peer = peer
            self._of[peer] = known
        return known

    def on_wire(self, parts: Sequence[bytes]) -> int:
        """Return the number of bytes of a message on the wire."""
        total, longest_short = (self._extra + SHORT_OVERHEAD) * len(parts), self._longest_short
        for part in parts:
            size = len(part)
            total += size if size <= longest_short else size + LONG_OVERHEAD - SHORT_OVERHEAD
        return total

    def took(self, peer: bytes, parts: Sequence[bytes]) -> bool:
        """Note that a peer's message was read; return False if its connection is unknown."""
        connection = self._of.get(peer)
        if connection is None:
            return False
        connection.taken += self.on_wire(parts)
        return True

    def took_too_many(self, peer: bytes, part: bytes, *, hang_up: bool) -> None:
        """Note that a part beyond the number that a message may have was read."""
        connection = self._of.get(peer)
        if connection is not None:
            connection.taken += self.on_wire((part,))
            if hang_up and not connection.ended:
                self._hang_up(connection, "a message of very many parts", time.monotonic())

    def room_for(self, peer: bytes, size: int) -> bool:
        """Return whether a message with this many bytes may be queued for a peer."""
        connection = self._of.get(peer)
        if connection is None:
            return True
        if self._fits(connection, size):
            return True
        counts = self._read(connection.fd)
        if counts is None or counts.remote != connection.remote:
            return True  # it is closed; the socket will report that
        self._unsent -= connection.unsent
        connection.update(counts)
        self._unsent += connection.unsent
        if self._unsent + size > self._bounds.all_sent_bytes:
            self._refresh()
        return self._fits(connection, size)

    def put(self, peer: bytes, size: int) -> None:
        """Note that a message with this many bytes is queued for a peer."""
        connection = self._of.get(peer)
        if connection is not None:
            connection.put += size
            self._unsent += size

    def check(self, now_s: float) -> float:
        """Close connections with too much waiting; return the seconds until the next check."""
        if now_s >= self._next_check_s:
            self._refresh()
            self._hang_up_on_greedy(now_s)
            most = max((each.unread for each in self._open.values()), default=0)
            self._next_check_s = now_s + (CHECK_OFTEN_S if most > OFTEN_BYTES else CHECK_EVERY_S)
        return self._next_check_s - now_s

    def _fits(self, connection: Connection, size: int) -> bool:
        return (
            connection.unsent + size <= self._bounds.sent_bytes
            and self._unsent + size <= self._bounds.all_sent_bytes
        )

    def _refresh(self) -> None:
        for fd, connection in list(self._open.items()):
            counts = self._read(fd)
            if counts is None or counts.remote != connection.remote:
                self._forget(fd)
            elif connection.ended:
                self._end(fd, connection.remote)
            else:
                connection.update(counts)
        self._unsent = sum(each.unsent for each in self._open.values())

    def _forget(self, fd: int) -> None:
        gone = self._open.pop(fd, None)
        if gone is not None and gone.peer is not None and self._of.get(gone.peer) is gone:
            del self._of[gone.peer]

    def _hang_up_on_greedy(self, now_s: float) -> None:
        bounds = self._bounds
        by_size = sorted(self._open.values(), key=lambda each: each.unread, reverse=True)
        total = sum(each.unread for each in by_size)
        excess = self._excess_memory(total, now_s)
        while by_size and excess > 0.0:  # of many connections, each of which may hold little
            largest = by_size.pop(0)
            excess -= largest.unread
            total -= largest.unread
            self._hang_up(largest, "what waits to be read takes too much memory", now_s)
            self._settled_s = now_s + SETTLE_S
        for each in by_size:
            if each.unread <= bounds.received_bytes and total <= bounds.all_received_bytes:
                break
            total -= each.unread
            self._hang_up(each, f"{each.unread} bytes wait to be read", now_s)
        there = [each for each in self._open.values() if not each.ended]
        # Connections that have sent nothing are closed first, the oldest of them; otherwise the
        # newest.
        order = [each for each in there if not each.taken] + [e for e in there[::-1] if e.taken]
        for each in order[: max(0, len(there) - MAX_CONNECTIONS)]:
            self._hang_up(each, "too many connections", now_s)

    def _excess_memory(self, waiting: int, now_s: float) -> float:
        """Return how many waiting bytes must be dropped to keep memory within its bound.

        Memory is assumed to be distributed like the bytes; half of the allowed amount may stay. The
        baseline is the memory that the process had when hardly anything was waiting. It is measured
        only after closed connections have released their memory; otherwise a peer that keeps
        reconnecting would raise it each time.
        """
        if self._memory is None or now_s < self._settled_s:
            return 0.0
        allowed, memory = self._bounds.all_received_bytes, self._memory()
        if waiting <= OFTEN_BYTES:
            if memory > self._quiet_memory + OFTEN_BYTES and self._trim_due:
                self._trim_due = False
                memory = self._trimmed()
            self._quiet_memory = memory
            return 0.0
        self._trim_due = True
        if memory - self._quiet_memory <= allowed or waiting * AMPLIFICATION < allowed:
            return 0.0
        grown = self._trimmed() - self._quiet_memory
        return waiting * (1.0 - allowed / 2 / grown) if grown > allowed else 0.0

    def _trimmed(self) -> int:
        assert self._memory is not None
        self._trim()
        return self._memory()

    def _hang_up(self, connection: Connection, why: str, now_s: float) -> None:
        self._end(connection.fd, connection.remote)
        connection.ended = True
        self.hung_up += 1
        if self._log_limit.due(self._name, now_s):
            told = {"socket": self._name, "remote": str(connection.remote), "why": why}
            logger.warning("hung up", extra={"fields": {**told, "so_far": self.hung_up}})
