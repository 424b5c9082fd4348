"""Receivers that refuse, or keep what they are sent, do not hold up the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from channel_sim.receivers import (
    FIRST_REST_S,
    MAX_REST_S,
    NAMES_REMEMBERED,
    REPEAT_AFTER_S,
    UNPROVEN_FRAMES,
    Conduct,
    FrameName,
    Receivers,
)
from semcom.errors import ProtocolError
from semcom.frame_messages import ReceivedFrame
from semcom.messages import Hello, Refusal
from tests.channel_sim.brokering import (
    CODEC,
    INSTANCE,
    broker_of,
    frame_of,
    greet,
    key_of,
    result_of,
    send,
)
from tests.properties import examples

WINDOW, TICK_S, TIMEOUT_S, BACKOFF_S = 8, 0.01, 2.0, 0.05
GOOD, BAD = b"good", b"bad"
REFUSAL = "codec_not_loaded: not I"
# Of the bad receiver, at a frame and a time: refuses, or answers; None: neither.
Behaviour = Callable[[int, float], bool | None]


def refusal_of(frame: int) -> Refusal:
    return Refusal(reason="codec_not_loaded", detail="not I", key=key_of(frame))


@dataclass
class Traffic:
    """A transmitter of one link and its receivers, by a clock that is moved by hand."""

    receivers: Receivers
    refuses: Behaviour
    answered: set[int] = field(default_factory=set)
    asked_bad: int = 0
    due: dict[int, float] = field(default_factory=dict)  # frame -> when it is sent (again)
    queue: list[int] = field(default_factory=list)  # at the good one
    next_frame: int = 0

    def run(self, seconds: float) -> int:
        """How many frames are answered in so long; the good one answers one in each tick."""
        for tick in range(round(seconds / TICK_S)):
            self._tick(tick * TICK_S)
        return len(self.answered)

    def _tick(self, now_s: float) -> None:
        while len(self.due) < WINDOW:
            self.due[self.next_frame] = now_s
            self.next_frame += 1
        for frame in [frame for frame, at_s in self.due.items() if at_s <= now_s]:
            self._offer(frame, now_s)
        if self.queue:
            self._answer(GOOD, self.queue.pop(0), now_s)

    def _offer(self, frame: int, now_s: float) -> None:
        self.due[frame] = now_s + TIMEOUT_S
        try:
            to = self.receivers.choose(CODEC, named(frame), 1, now_s)
        except ProtocolError:
            self.due[frame] = now_s + BACKOFF_S
            return
        if to == GOOD:
            self.queue.append(frame)
        elif to == BAD:
            self.asked_bad += 1
            refuses = self.refuses(frame, now_s)
            if refuses:
                self.receivers.refused(BAD, named(frame), REFUSAL, now_s)
                self.due[frame] = now_s + BACKOFF_S
            elif refuses is not None:
                self._answer(BAD, frame, now_s)

    def _answer(self, by: bytes, frame: int, now_s: float) -> None:
        self.receivers.answered(by, named(frame), now_s)
        self.answered.add(frame)
        self.due.pop(frame, None)


def named(frame: int) -> FrameName:
    return "demo", "cifar10", 0, frame


def traffic(refuses: Behaviour, *, bad: bool = True) -> Traffic:
    receivers = Receivers(queue_frames=256, queue_bytes=1 << 20)
    for identity in (GOOD, BAD) if bad else (GOOD,):
        hello = Hello(role="receiver", peer=identity.decode(), instance=INSTANCE, codecs=[CODEC])
        receivers.greet(identity, hello, 0.0)
    return Traffic(receivers, refuses)


ALONE = traffic(lambda frame, now_s: None, bad=False).run(60.0)


def test_receiver_that_refuses_everything_takes_next_to_nothing_from_a_good_one():
    both = traffic(lambda frame, now_s: True)
    assert both.run(60.0) > 0.97 * ALONE
    assert both.asked_bad < 30
    rests = both.receivers.rests
    assert {(rest.peer, rest.why) for rest in rests} == {("bad", REFUSAL)}
    assert [rest.seconds for rest in rests][:4] == [FIRST_REST_S * 2**n for n in range(4)]


def test_receiver_that_answers_nothing_takes_next_to_nothing_from_a_good_one():
    both = traffic(lambda frame, now_s: None)
    assert both.run(60.0) > 0.97 * ALONE
    assert both.asked_bad < 60


def test_receiver_that_comes_back_to_its_senses_gets_its_share_again():
    both = traffic(lambda frame, now_s: now_s < 20.0)
    assert both.run(60.0) > 1.3 * ALONE
    assert both.receivers.resting(60.0) == 0


def test_receiver_that_refuses_every_other_frame_is_not_shut_out():
    both = traffic(lambda frame, now_s: bool(frame % 2))
    assert both.run(60.0) > ALONE
    assert both.asked_bad > 100


def test_lone_receiver_that_refuses_is_asked_all_the_same():
    broker = broker_of()
    greet(broker, BAD)
    for frame in range(20):
        assert send(broker, frame_of(frame), now_s=0.01 * frame).to == BAD
        broker.on_downlink(BAD, refusal_of(frame), now_s=0.01 * frame)


def test_rest_outlives_the_connection():
    broker = broker_of()
    greet(broker, GOOD, peer="good")
    for life in range(5):
        greet(broker, b"life %d" % life, peer="bad")
        for frame in range(2):
            sent = send(broker, frame_of(10 * life + frame))
            if sent.to != GOOD:
                broker.on_downlink(sent.to, refusal_of(10 * life + frame), now_s=0.0)
        broker.undelivered(
            ReceivedFrame(
                key=key_of(), images=1, symbols=1, codec=CODEC, csi_columns=0, snr_db=0.0,
                equalizer="mmse", channel_ms=0.0,
            ),
            to=b"life %d" % life, now_s=0.0,
        )  # fmt: skip
    assert len(broker.take_rests()) == 1


def test_who_has_answered_nothing_yet_gets_few_frames_while_others_answer():
    broker = broker_of()
    greet(broker, GOOD, peer="good")
    send(broker, frame_of(0))
    broker.on_downlink(GOOD, result_of(0), now_s=0.0)
    greet(broker, BAD, peer="bad")
    sent = [send(broker, frame_of(frame)).to for frame in range(1, 60)]
    assert sent.count(BAD) == UNPROVEN_FRAMES


def test_refusal_of_a_frame_that_was_not_asked_for_changes_nothing():
    broker = broker_of()
    greet(broker, GOOD, peer="good")
    broker.on_downlink(GOOD, refusal_of(7), now_s=0.0)
    assert broker.take_rests() == []
    assert broker.resting(0.0) == 0


def test_names_of_receivers_are_remembered_up_to_a_bound():
    receivers = Receivers(queue_frames=1, queue_bytes=1)
    for number in range(NAMES_REMEMBERED + 50):
        hello = Hello(role="receiver", peer=f"r{number}", instance=INSTANCE)
        receivers.greet(b"%d" % number, hello, 0.0)
    assert len(receivers._conducts) == NAMES_REMEMBERED


@examples(200)
@given(st.lists(st.tuples(st.booleans(), st.floats(0.0, 20.0)), max_size=60))
def test_rests_double_up_to_a_bound_and_an_answer_ends_them(events):
    conduct, now_s, failures = Conduct(), 0.0, 0
    for answers, pause_s in events:
        now_s += pause_s
        if answers:
            conduct.answer()
            failures = 0
            assert conduct.rest_until_s < now_s
            continue
        resting = now_s < conduct.rest_until_s
        rest_s = conduct.fail(now_s)
        assert (rest_s == 0.0) is resting
        if not resting:
            assert rest_s == min(MAX_REST_S, FIRST_REST_S * 2.0**failures)
            failures += 1


def test_repeats_are_sent_on_before_a_transmitter_would_repeat_them_again():
    assert REPEAT_AFTER_S <= 0.5, "time-outs are at least 1 s"
