"""How signals are answered: which exit code, which line, when at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom import stop_signals
from semcom.entry import run_process
from semcom.stop_signals import (
    NUMBERS,
    Stopped,
    StopRequest,
    keeping_answers,
    stop_requests,
    stopping_at_once,
    stopping_in_waits,
)

SIGNALS = st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=4)


@pytest.fixture(autouse=True)
def handlers_are_put_back() -> Iterator[None]:
    before = [signal.getsignal(number) for number in NUMBERS]
    yield
    assert [signal.getsignal(number) for number in NUMBERS] == before


@given(SIGNALS)
def test_a_request_has_the_exit_code_of_the_first_and_a_line_for_each(numbers: list[int]) -> None:
    said: list[str] = []
    woken: list[int] = []
    with stop_requests("saving", wake=lambda: woken.append(1), say=said.append) as stop:
        assert not stop.asked
        for number in numbers:
            signal.raise_signal(number)
    assert stop.asked
    assert stop.exit_code == 128 + numbers[0]
    assert len(said) == len(woken) == len(numbers)
    assert said[0] == f"{signal.Signals(numbers[0]).name}: saving; send it again to end at once"
    assert all(line.endswith(" again: still saving") for line in said[1:])


@pytest.mark.parametrize(("first", "second"), [(15, 15), (15, 2), (2, 15), (2, 2)])
def test_a_later_signal_ends_at_once_with_the_code_of_the_first(
    first: int, second: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stop_signals, "AGAIN_AFTER_S", 0.0)
    said: list[str] = []
    with stop_requests("saving", say=said.append):
        signal.raise_signal(first)
        with pytest.raises(Stopped) as stopped:
            signal.raise_signal(second)
    assert stopped.value.exit_code == 128 + first
    assert said[1] == f"{signal.Signals(second).name} again: ending at once"


def test_who_must_save_is_never_ended_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stop_signals, "AGAIN_AFTER_S", 0.0)
    said: list[str] = []
    with stop_requests("saving", insist=False, say=said.append) as stop:
        for _ in range(3):
            signal.raise_signal(signal.SIGTERM)
    assert stop.exit_code == 143
    assert said == ["SIGTERM: saving", *["SIGTERM again: still saving"] * 2]


def test_what_is_done_before_the_end_changes_with_the_work() -> None:
    said: list[str] = []
    with stop_requests("finishing", say=said.append) as stop:
        stop.doing = "writing the results"
        signal.raise_signal(signal.SIGTERM)
    assert said == ["SIGTERM: writing the results; send it again to end at once"]


@pytest.mark.parametrize("number", NUMBERS)
def test_a_process_that_has_nothing_to_finish_ends_with_a_line(number: int) -> None:
    said: list[str] = []

    def work() -> int:
        try:
            signal.raise_signal(number)
        except Exception:
            pytest.fail("an error handler took a signal for an error")
        return 0

    assert run_process(work, say=said.append) == 128 + number
    assert said == [f"{signal.Signals(number).name}: stopped"]


@pytest.mark.parametrize("answering", [stopping_at_once, lambda: stop_requests("x")])
def test_signals_that_were_ignored_or_blocked_at_the_start_are_answered(answering) -> None:
    before = [signal.signal(number, signal.SIG_IGN) for number in NUMBERS]
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, NUMBERS)
    try:
        with answering():
            assert not signal.pthread_sigmask(signal.SIG_BLOCK, []) & set(NUMBERS)
            handlers = [signal.getsignal(number) for number in NUMBERS]
            assert signal.SIG_IGN not in handlers
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for number, handler in zip(NUMBERS, before, strict=True):
            signal.signal(number, handler)


def test_other_threads_take_no_signals() -> None:
    found: list[StopRequest] = []

    def work() -> None:
        with stop_requests("x") as stop, stopping_in_waits(), stopping_at_once():
            found.append(stop)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert not found[0].asked


def test_a_wait_in_python_ends_at_once() -> None:
    threading.Timer(0.1, os.kill, [os.getpid(), signal.SIGTERM]).start()
    with pytest.raises(Stopped) as stopped, stopping_in_waits():
        threading.Event().wait(60)
    assert stopped.value.exit_code == 143


# A mutex that is locked twice: C code that no signal interrupts.
STUCK = """
import ctypes, threading
from semcom import stop_signals
stop_signals.GRACE_S = 0.2
libc, mutex = ctypes.CDLL(None), ctypes.create_string_buffer(256)
with stop_signals.stopping_in_waits():
    libc.pthread_mutex_lock(mutex)
    threading.Timer(0.3, print, ["stuck"], {"flush": True}).start()
    libc.pthread_mutex_lock(mutex)
"""


@pytest.mark.parametrize("number", NUMBERS)
def test_a_wait_in_a_library_ends_too(number: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", STUCK], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"stuck\n"
    process.send_signal(number)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 128 + number
    assert said == f"{signal.Signals(number).name}: stopped\n".encode()


def test_handlers_of_a_library_do_not_outlast_its_start() -> None:
    with stop_requests("finishing") as stop:
        with keeping_answers():
            for number in NUMBERS:
                signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.exit_code == 143
        assert stop.asked
