"""The sending end: what is sent again, when, and when not."""

from __future__ import annotations

from typing import get_args

import pytest

from semcom.errors import AccountingError, CheckpointError, ProtocolError
from semcom.messages import (
    RETRIABLE,
    Refusal,
    RefusalReason,
)
from tests.transmitters.sending import (
    assignment,
    encode,
    finish,
    fly,
    refusal_of,
    resent,
    sender_of,
)

# Retries


def test_unanswered_frame_is_sent_again_later_and_later():
    sender = sender_of(assignment((0, 1)))
    flight = fly(sender, now_s=100.0)[0]
    due_s = 100.0
    for wait_s in (2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0):
        assert resent(sender, due_s + wait_s - 0.001) == []
        due_s += wait_s
        assert resent(sender, due_s) == [0]
    assert flight.attempts == 8
    assert flight.first_sent_s == 100.0
    assert flight.last_sent_s == due_s


def test_frames_sent_with_one_time_out_double_it_once():
    sender = sender_of(assignment(window=3))
    for number, flight in enumerate(fly(sender, now_s=0.0)):
        flight.last_sent_s += 0.25 * number
        flight.retry_at_s += 0.25 * number
    assert [resent(sender, at_s) for at_s in (2.0, 2.25, 2.5)] == [[0], [1], [2]]
    assert [resent(sender, at_s) for at_s in (6.0, 6.25, 6.5)] == [[0], [1], [2]]
    assert resent(sender, 13.9) == []
    assert resent(sender, 14.0) == [0]


def test_frame_is_sent_again_as_it_was():
    sender = sender_of(assignment((0, 1)))
    first = fly(sender)[0]
    (again,) = sender.frames_to_resend(2.0)
    assert again.message is first.message
    assert again.encoded.symbols_BK is first.encoded.symbols_BK


def test_patience_follows_the_round_trip_between_its_bounds():
    waits = {0.01: 1.0, 0.5: 2.0, 1.5: 6.0, 5.0: 20.0, 30.0: 60.0}
    for round_trip_s, wait_s in waits.items():
        sender = sender_of(assignment(window=1))
        fly(sender, now_s=0.0)
        finish(sender, 0, now_s=round_trip_s)
        (flight,) = fly(sender, now_s=20.0)
        assert flight.retry_at_s == pytest.approx(20.0 + wait_s)


def test_round_trip_of_a_repeated_frame_teaches_nothing():
    """Which of its sendings was answered is not known (Karn): the longer time-out stays."""
    sender = sender_of(assignment(window=1))
    fly(sender, now_s=0.0)
    assert resent(sender, 2.0) == [0]
    finish(sender, 0, now_s=2.001)
    (flight,) = fly(sender, now_s=10.0)
    assert flight.retry_at_s == pytest.approx(14.0)


def test_attempts_are_reported():
    sender = sender_of(assignment((0, 1)))
    fly(sender, now_s=0.0)
    resent(sender, 2.0)
    resent(sender, 6.0)
    finish(sender, 0, now_s=6.5)
    (message,) = sender.reports.due(6.5)
    assert message.results[0].attempts == 3
    assert message.results[0].round_trip_ms == 6500.0


def test_refused_frame_comes_again_soon_and_backs_off():
    sender = sender_of(assignment((0, 1)))
    fly(sender, now_s=0.0)
    now_s = 1.0
    for wait_s in (0.05, 0.1, 0.2, 0.4, 0.8, 1.0, 1.0, 1.0):
        sender.refused(refusal_of(0), now_s=now_s)
        assert resent(sender, now_s + wait_s - 0.001) == []
        assert sender.next_deadline_s(now_s, 60.0) == pytest.approx(wait_s)
        now_s += wait_s + 1e-9
        assert resent(sender, now_s) == [0]


def test_refusal_concerns_its_frame_alone():
    sender = sender_of(assignment())
    fly(sender, now_s=0.0)
    sender.refused(refusal_of(1), now_s=0.5)
    assert resent(sender, 1.0) == [1]


@pytest.mark.parametrize("reason", sorted(set(get_args(RefusalReason)) - RETRIABLE))
def test_refusal_that_no_retry_can_mend_fails_the_run(reason):
    sender = sender_of(assignment())
    fly(sender)
    with pytest.raises((ProtocolError, CheckpointError, AccountingError)) as caught:
        sender.refused(refusal_of(0, reason), now_s=1.0)
    assert caught.value.exit_code == {"codec_mismatch": 6, "conflict": 8}.get(reason, 5)
    assert str(caught.value)


@pytest.mark.parametrize("reason", sorted(RETRIABLE))
def test_refusal_that_time_can_mend_keeps_the_frame(reason):
    sender = sender_of(assignment((0, 1)))
    fly(sender)
    sender.refused(refusal_of(0, reason), now_s=1.0)
    assert resent(sender, 1.1) == [0]


@pytest.mark.parametrize(
    "changed", [{"run": "older"}, {"point": 4}, {"frame": 4}, {"link": "cifar100"}]
)
def test_refusal_of_what_is_not_in_flight_is_ignored(changed):
    sender = sender_of(assignment(window=2))
    fly(sender)
    for reason in ("overloaded", "over_power"):
        sender.refused(refusal_of(**{"frame": 0, **changed}, reason=reason), now_s=0.0)
    assert resent(sender, 1.9) == []
    assert sender.in_flight == 2


def test_refusal_that_names_no_frame_leaves_it_to_the_time_out():
    sender = sender_of(assignment((0, 1)))
    fly(sender)
    sender.refused(Refusal(reason="checksum", detail="damaged"), now_s=0.0)
    assert resent(sender, 1.9) == []
    assert resent(sender, 2.0) == [0]


def test_restarted_channel_makes_everything_in_flight_due_at_once():
    sender = sender_of(assignment())
    fly(sender, now_s=0.0)
    finish(sender, 1, now_s=0.1)
    sender.channel_restarted(0.2)
    assert sender.next_deadline_s(0.2, 60.0) == 0.0
    assert resent(sender, 0.2) == [0, 2]
    assert resent(sender, 0.2) == []


def test_next_deadline_is_that_of_the_first_frame_due():
    sender = sender_of(assignment())
    assert sender.next_deadline_s(5.0, 0.7) == 0.7
    first, second, third = sender.frames_to_encode()
    for plan, now_s in ((first, 1.0), (second, 0.0), (third, 2.0)):
        encode(sender, plan, now_s)
    assert sender.next_deadline_s(0.5, 60.0) == pytest.approx(1.5)
    assert sender.next_deadline_s(0.5, 1.0) == 1.0
    assert sender.next_deadline_s(9.0, 60.0) == 0.0
