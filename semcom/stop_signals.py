"""Handle SIGINT and SIGTERM; no other module handles a signal.

    stopping_at_once    a signal raises `Stopped`: commands that have nothing to finish
    stop_requests       a signal asks; the work ends where it may, a later signal raises `Stopped`
    stopping_in_waits   a signal ends the process even while a library waits and runs no Python
    keeping_answers     a library that answers signals in its own way when it starts does not

Each signal is answered by a line. The exit code is that of the first one that asked, as a shell
counts it: 130 for SIGINT, 143 for SIGTERM. A program that sends a signal to a process and then to
its group (`timeout` does) sends it twice: what follows within `AGAIN_AFTER_S` is the same request.

A shell starts what runs in the background of a script with SIGINT ignored. All of these answer it
nevertheless: a process that says "Ctrl-C ends it" can be ended so wherever it was started.
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
GRACE_S = 2.0  # until a process that does not come back from a library is ended

Say = Callable[[str], None]
Answer = Callable[[int], None]


class Stopped(BaseException):
    """A signal ends what runs here. No `Exception`, so that it is not handled as an error."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.exit_code = 128 + number


def _nothing() -> None:
    return


@dataclass
class StopRequest:
    """State of a stop request: whether and by which signal this process was asked to end."""

    signal: int = 0
    doing: str = ""  # what a line says that is done before the end
    wake: Callable[[], None] = _nothing  # a loop that polls; may do what a handler may
    asked_s: float = 0.0  # when it was asked first

    @property
    def asked(self) -> bool:
        """Return whether it was asked."""
        return self.signal != 0

    @property
    def exit_code(self) -> int:
        """As a shell reports a process that the signal ended: 143 or 130."""
        return 128 + (self.signal or signal.SIGTERM)


def to_stderr(text: str) -> None:
    """Write a line; safe where a signal interrupts another write, as print is not."""
    with suppress(OSError):
        os.write(2, f"{text}\n".encode())


def in_silence(text: str) -> None:
    """Say nothing: another process says it."""
    del text


@contextmanager
def stopping_at_once(say: Say = to_stderr) -> Iterator[None]:
    """Have a signal raise `Stopped` meanwhile; the exit code is that of the first."""
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
    """Turn signals into a request meanwhile.

    Args:
        doing: what is done before the end.
        wake: called by a signal, to wake a loop that polls.
        insist: a later signal raises `Stopped`; else the work alone decides when it ends.
        say: writes a line.
    """
    request = StopRequest(doing=doing, wake=wake)

    def answer(number: int) -> None:
        name, now_s = signal.Signals(number).name, time.monotonic()
        if not request.asked:
            request.signal, request.asked_s = number, now_s
            say(f"{name}: {request.doing}{'; again ends at once' if insist else ''}")
        elif not insist or now_s - request.asked_s < AGAIN_AFTER_S:
            say(f"{name} again: still {request.doing}")
        else:
            say(f"{name} again: ends at once")
            raise Stopped(request.signal)
        request.wake()

    with _answering(answer):
        yield request


@contextmanager
def keeping_answers() -> Iterator[None]:
    """Have signals answered as before once a library has set handlers of its own meanwhile."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in NUMBERS}
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:  # one that Python did not set stays
                signal.signal(number, handler)


@contextmanager
def stopping_in_waits(stop: Callable[[int], BaseException] = Stopped) -> Iterator[None]:
    """Have a signal raise `stop(number)`, and end the process if that does not come through.

    Python runs handlers between two of its own steps only: a library that waits for another host
    in C would have the signal wait as long.
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
    """Say which signal came; end the process if it does not leave the block by itself."""
    while numbers := reader.recv(1):
        if numbers[0] in NUMBERS:
            to_stderr(f"{signal.Signals(numbers[0]).name}: stopped")
            if not over.wait(GRACE_S):
                os._exit(128 + numbers[0])
            return


@contextmanager
def _answering(answer: Answer) -> Iterator[bool]:
    """Answer the signals meanwhile; says whether, for only the main thread may."""
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
            # None: another language's; only Python's can be put back
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
