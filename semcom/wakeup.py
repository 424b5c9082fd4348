"""Wake a polling thread from another thread."""

from __future__ import annotations

import select
import socket


class Wakeup:
    """Lets other threads wake the polling thread."""

    def __init__(self) -> None:
        self._reader, self._writer = socket.socketpair()
        self._reader.setblocking(False)
        self._writer.setblocking(False)

    def fileno(self) -> int:
        """The descriptor to poll."""
        return self._reader.fileno()

    def set(self) -> None:
        """Wake the poller; any thread may call this."""
        try:
            self._writer.send(b"\0")
        except (BlockingIOError, OSError):
            return  # full: the poller is already being woken; closed: polling has ended

    def wait(self, timeout_s: float) -> bool:
        """Wait to be woken; return whether that happened, and clear the calls so far."""
        woken = bool(select.select([self._reader], [], [], timeout_s)[0])
        self.clear()
        return woken

    def clear(self) -> None:
        """Clear the calls so far."""
        try:
            while self._reader.recv(4096):
                pass
        except BlockingIOError:
            return

    def close(self) -> None:
        """Close both ends."""
        self._reader.close()
        self._writer.close()
