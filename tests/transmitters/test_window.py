"""The window and the time-out of a link, apart from its frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.frame_messages import MAX_SYMBOLS
from tests.transmitters.sending import assignment
from transmitters.timeouts import (
    FIRST_TIMEOUT_S,
    MAX_TIMEOUT_S,
    MIN_TIMEOUT_S,
    RetransmissionTimeout,
)
from transmitters.window import Window


@given(
    max_bytes=st.integers(0, 10**6),
    frame_bytes=st.integers(1, 10**5),
    window=st.integers(1, 64),
)
def test_window_is_filled_up_to_the_nearer_of_its_bounds(max_bytes, frame_bytes, window):
    limits = Window(max_bytes)
    limits.encoded(frame_bytes)
    encoding = 0
    while limits.has_room(assignment(window=window), encoding=encoding, in_flight=0, held_bytes=0):
        encoding += 1
    assert encoding == max(1, min(window, max_bytes // frame_bytes))


def test_before_the_first_frame_the_longest_codewords_are_reckoned_with():
    work = assignment(window=64)
    longest = work.frame_images * MAX_SYMBOLS * 8
    limits = Window(2 * longest)
    assert limits.has_room(work, encoding=1, in_flight=0, held_bytes=0)
    assert not limits.has_room(work, encoding=2, in_flight=0, held_bytes=0)
    limits.encoded(longest // 4)
    assert limits.has_room(work, encoding=2, in_flight=0, held_bytes=0)


def test_timeout_follows_the_smoothed_round_trip_within_its_bounds():
    timeout = RetransmissionTimeout()
    assert timeout.seconds == FIRST_TIMEOUT_S
    timeout.measure(1.0)
    assert timeout.seconds == pytest.approx(4.0)
    timeout.measure(2.0)
    assert timeout.seconds == pytest.approx(4 * 1.125)
    timeout.measure(1e6)
    assert timeout.seconds == MAX_TIMEOUT_S
    fast = RetransmissionTimeout()
    fast.measure(1e-3)
    assert fast.seconds == MIN_TIMEOUT_S


def test_timeout_doubles_once_for_all_frames_that_were_sent_with_it():
    timeout = RetransmissionTimeout()
    timeout.expired(0.0, 2.0)
    timeout.expired(1.9, 3.0)
    assert timeout.seconds == 2 * FIRST_TIMEOUT_S
    timeout.expired(2.0, 6.0)
    assert timeout.seconds == 4 * FIRST_TIMEOUT_S
    for turn in range(10):
        timeout.expired(100.0 + turn, 100.5 + turn)
    assert timeout.seconds == MAX_TIMEOUT_S
    timeout.measure(0.5)
    assert timeout.seconds == pytest.approx(2.0), "an answer to a frame that was sent only once"
