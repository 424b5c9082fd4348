"""Handle SIGINT and SIGTERM; no other module handles a signal.

    stopping_at_once    a signal raises `Stopped`; for commands without anything to finish
    stop_requests       a signal requests the end; the work finishes; a later one raises `Stopped`
    stopping_in_waits   a signal ends the process even while a library waits and runs no Python
    keeping_answers     restores the handlers that a library replaces when it starts

Each signal is acknowledged with a line. The exit code is that of the first one, as shells report
it: 130 for SIGINT, 143 for SIGTERM. Some programs, such as `timeout`, send a signal to a process
and then to its group: signals within `AGAIN_AFTER_S` are one request.

A shell starts background jobs of a script with SIGINT ignored. All of these handle it
nevertheless, so a process that says "Ctrl-C ends it" can always be ended in that way.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import FrameType

NUMBERS = (signal.SIGINT, signal.SIGTERM)
AGAIN_AFTER_S = 1.0
GRACE_S = 2.0  # after which a process that is stuck in a library is ended

Say = Callable[[str], None]
Answer = Callable[[int], None]


class Stopped(BaseException):
    """A signal ends the work. Not an `Exception`, so that it is not handled as an error."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


def _nothing() -> None:
    return


@dataclass
class StopRequest:
    """State of a stop request: whether and by which signal this process was asked to end."""

    signal: int = 0
    doing: str = ""  # what is done before the end, for the line
    wake: Callable[[], None] = _nothing  # wakes a polling loop; must be safe in a handler
    asked_s: float = 0.0  # time of the first request

    @property
    def asked(self) -> bool:
        """Return whether a stop was requested."""
        return self.signal != 0

    @property
    def exit_code(self) -> int:
        """The exit code of a process ended by the signal, as in a shell: 143 or 130."""
        return 128 + (self.signal or signal.SIGTERM)


def to_stderr(text: str) -> None:
    """Write a line; unlike print, safe if a signal interrupts another write."""
    with suppress(OSError):
        os.write(2, f"{text}\n".encode())


def in_silence(text: str) -> None:
    """Print nothing, because another process does."""
    del text


@contextmanager
def stopping_at_once(say: Say = to_stderr) -> Iterator[None]:
    """Make signals raise `Stopped` in this block; the exit code is that of the first."""
    first: list[int] = []

    def answer(number: int) -> None:
        first.append(number)
        say(f"{signal.Signals(number).name}: stopped")
        raise Stopped(first[0])

    with _answering(answer):
        yield


@contextmanager
def stop_requests(
    doing: str,
    *,
    wake: Callable[[], None] = _nothing,
    insist: bool = True,
    say: Say = to_stderr,
) -> Iterator[StopRequest]:
    """Turn signals into a stop request in this block.

    Args:
        doing: what is done before the end.
        wake: called by a signal, to wake a polling loop.
        insist: a later signal raises `Stopped`; otherwise only the work decides when it ends.
        say: writes a line.
    """
    request = StopRequest(doing=doing, wake=wake)

    def answer(number: int) -> None:
        name, now_s = signal.Signals(number).name, time.monotonic()
        if not request.asked:
            request.signal, request.asked_s = number, now_s
            say(f"{name}: {request.doing}{'; send it again to end at once' if insist else ''}")
        elif not insist or now_s - request.asked_s < AGAIN_AFTER_S:
            say(f"{name} again: still {request.doing}")
        else:
            say(f"{name} again: ending at once")
            raise Stopped(request.signal)
        request.wake()

    with _answering(answer):
        yield request


@contextmanager
def keeping_answers() -> Iterator[None]:
    """Restore signal handlers after a library has replaced them in this block."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in NUMBERS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # a handler not set by Python stays
                signal.signal(number, handler)


@contextmanager
def stopping_in_waits(stop: Callable[[int], BaseException] = Stopped) -> Iterator[None]:
    """Make a signal raise `stop(number)`; end the process if that does not get through.

    Python runs handlers only between its own instructions: while a library waits in C for another
    host, the signal would wait, too.
    """

    def answer(number: int) -> None:
        raise stop(number)

    with _answering(answer) as answered:
        if not answered:
            yield
            return
        reader, writer = socket.socketpair()
        writer.setblocking(False)
        over = threading.Event()
        before = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
        watch = threading.Thread(target=_end_on_signal, args=(reader, over), daemon=True)
        watch.start()
        try:
            yield
        finally:
            over.set()
            signal.set_wakeup_fd(before)
            writer.close()
            watch.join()
            reader.close()


def _end_on_signal(reader: socket.socket, over: threading.Event) -> None:
    """Report the signal; end the process if it does not leave the block by itself."""
    while numbers := reader.recv(1):
        if numbers[0] in NUMBERS:
            to_stderr(f"{signal.Signals(numbers[0]).name}: stopped")
            if not over.wait(GRACE_S):
                os._exit(128 + numbers[0])
            return


@contextmanager
def _answering(answer: Answer) -> Iterator[bool]:
    """Handle the signals in this block; yield whether, because only the main thread can."""
    if threading.current_thread() is not threading.main_thread():
        yield False
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        del frame
        answer(number)

    before = {number: signal.signal(number, on_signal) for number in NUMBERS}
    signal.pthread_sigmask(signal.SIG_UNBLOCK, NUMBERS)
    try:
        yield True
    finally:
        for number, handler in before.items():
            # None: not a Python handler; only Python's can be restored
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
