"""The channel without sockets: where frames go, and what is refused."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from channel_sim.broker import Broker, refusal
from channel_sim.channels import draw_channel, measured_snr_db, pass_through
from channel_sim.known_points import RUNS_REMEMBERED
from channel_sim.noise_engine import NumpyEngine
from channel_sim.sends import Arrived, Send
from semcom import wire
from semcom.errors import ProtocolError
from semcom.frame_messages import ReceivedFrame
from semcom.messages import RETRIABLE, Hello, LoadCodec, PointTable, Refusal, RefusalReason, Welcome
from semcom.wire import mean_power
from tests.channel_sim.brokering import (
    CODEC,
    INSTANCE,
    OTHER_CODEC,
    POINTS,
    RX,
    SYMBOLS,
    TX,
    broker_of,
    frame_of,
    greet,
    held,
    key_of,
    refused,
    result_of,
    send,
)


def test_hello_is_answered_with_the_instance_of_this_life():
    broker = broker_of()
    hello = Hello(role="transmitter", peer="cifar10", instance="f" * 16)
    answer = broker.greet_transmitter(TX, hello, now_s=0)
    assert answer == Send("uplink", TX, Welcome(instance=INSTANCE))


def test_frame_goes_through_the_channel_of_its_point_to_the_receiver():
    ticks = iter([10.0, 10.25])
    broker = broker_of(RX, clock=lambda: next(ticks))
    sent = send(broker, frame_of(4, point=1))
    assert (sent.side, sent.to) == ("downlink", RX)
    draw = draw_channel(POINTS[1], link="cifar10", first_image=8, images=2, symbols=3)
    assert sent.message == ReceivedFrame(
        key=key_of(4, point=1),
        images=2,
        symbols=3,
        codec=CODEC,
        csi_columns=1,
        snr_db=10.0,
        equalizer="mmse",
        channel_ms=250.0,
        snr_measured_db=measured_snr_db(SYMBOLS, draw),
        first_image=8,
        seed=3,
    )
    assert np.array_equal(sent.payload[:, :1], draw.fading_B1)
    assert np.array_equal(sent.payload[:, 1:], pass_through(SYMBOLS, draw))


@pytest.mark.parametrize("point", [0, 2])
def test_without_channel_state_only_symbols_are_handed_on(point):
    sent = send(broker_of(RX), frame_of(point=point))
    assert isinstance(sent.message, ReceivedFrame)
    assert not sent.message.csi_columns
    draw = draw_channel(POINTS[point], link="cifar10", first_image=0, images=2, symbols=3)
    assert np.array_equal(sent.payload, pass_through(SYMBOLS, draw))


@pytest.mark.parametrize("point", range(len(POINTS)))
def test_what_the_receiver_gets_is_a_message_of_the_protocol(point):
    sent = send(broker_of(RX), frame_of(point=point))
    message, payload = wire.decode(wire.encode(sent.message, sent.payload))
    assert message == sent.message
    assert np.array_equal(payload, sent.payload)


def test_repeated_frame_meets_the_same_channel_whatever_happened_between():
    broker = broker_of(RX)
    first = send(broker, frame_of(3, point=1))
    for frame in range(3):
        send(broker, frame_of(frame, point=1))
    again = send(broker, frame_of(3, point=1), now_s=1.0)
    restarted = send(broker_of(b"other"), frame_of(3, point=1))
    assert first.payload.tobytes() == again.payload.tobytes() == restarted.payload.tobytes()


def test_frames_and_links_meet_channels_of_their_own():
    broker = broker_of(RX)
    frames = [frame_of(0), frame_of(1), frame_of(0, link="cifar100"), frame_of(0, point=1)]
    assert len({send(broker, frame).payload[:, -1:].tobytes() for frame in frames}) == 4


def test_each_frame_goes_to_the_receiver_that_holds_the_fewest():
    broker = broker_of(b"r1", b"r2", b"r3")
    for frame in range(6):
        send(broker, frame_of(frame))
    assert held(broker) == {b"r1": 2, b"r2": 2, b"r3": 2}
    for frame in (1, 4):
        broker.on_downlink(b"r2", result_of(frame), now_s=0)
    assert held(broker) == {b"r1": 2, b"r2": 0, b"r3": 2}
    assert [send(broker, frame_of(frame)).to for frame in (6, 7)] == [b"r2", b"r2"]


def test_answer_frees_every_receiver_that_got_the_frame():
    """Sent again, a frame may go to another receiver; one answer is all there may be."""
    broker = broker_of(b"r1", b"r2")
    for frame in (0, 1, 2, 0):
        send(broker, frame_of(frame))
    assert held(broker) == {b"r1": 2, b"r2": 2}, "frame 0 went to both"
    broker.on_downlink(b"r2", result_of(0), now_s=0)
    assert held(broker) == {b"r1": 1, b"r2": 1}


def test_answer_of_one_frame_frees_no_other():
    broker = broker_of(RX)
    keys = [{}, {"link": "cifar100"}, {"point": 1}]
    for key in keys:
        send(broker, frame_of(0, **key))
    broker.on_downlink(RX, result_of(0, link="cifar100"), now_s=0)
    broker.on_downlink(RX, result_of(0, run="other"), now_s=0)
    assert held(broker) == {RX: 2}


def test_frame_goes_only_to_receivers_with_its_codec():
    broker = broker_of()
    greet(broker, b"r1", OTHER_CODEC)
    greet(broker, b"r2", OTHER_CODEC, CODEC)
    assert [send(broker, frame_of(frame)).to for frame in range(3)] == [b"r2"] * 3
    assert send(broker, frame_of(9, codec=OTHER_CODEC)).to == b"r1"


def test_receiver_that_lost_a_codec_gets_no_more_frames_of_it():
    broker = broker_of(RX)
    send(broker, frame_of())
    greet(broker, RX, OTHER_CODEC)
    assert refused(broker, frame_of(1)) == "no_receiver"
    greet(broker, RX, CODEC)
    assert send(broker, frame_of(1)).to == RX
    assert held(broker) == {RX: 2}, "a hello does not forget what is held"


def test_frame_sent_again_is_held_once():
    broker = broker_of(RX)
    for second in range(5):
        send(broker, frame_of(), now_s=second)
    assert held(broker) == {RX: 1}


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (frame_of(run="other"), "unknown_point"),
        (frame_of(point=len(POINTS)), "unknown_point"),
        (frame_of(codec=OTHER_CODEC), "no_receiver"),
    ],
)
def test_frame_that_cannot_be_placed_is_refused_and_may_come_again(frame, reason):
    broker = broker_of(RX)
    assert refused(broker, frame) == reason
    assert reason in RETRIABLE
    assert held(broker) == {RX: 0}


def test_without_receivers_every_frame_is_refused():
    assert refused(broker_of(), frame_of()) == "no_receiver"


def test_frames_beyond_the_queue_of_every_receiver_are_refused_until_one_is_answered():
    broker = broker_of(b"r1", b"r2", queue_frames=2)
    for frame in range(4):
        assert send(broker, frame_of(frame)).side == "downlink"
    assert refused(broker, frame_of(4)) == "overloaded"
    assert "overloaded" in RETRIABLE
    broker.on_downlink(b"r2", result_of(1), now_s=0)
    assert send(broker, frame_of(4)).to == b"r2"
    assert refused(broker, frame_of(5)) == "overloaded"


def test_frames_of_an_unknown_point_are_refused_before_their_symbols_are_looked_at(monkeypatch):
    looked_at: list[int] = []

    def counted(symbols_BK):
        looked_at.append(len(symbols_BK))
        return mean_power(symbols_BK)

    monkeypatch.setattr(NumpyEngine, "mean_power", staticmethod(counted))
    broker = broker_of(RX)
    frames = [frame_of(0, point=7), frame_of(1), frame_of(2, run="gone")]
    sent = broker.transmit([Arrived(TX, each, SYMBOLS, 0.0) for each in frames])
    assert [getattr(each.message, "reason", None) for each in sent] == [
        "unknown_point", "unknown_point", None,
    ]  # fmt: skip
    assert looked_at == [len(SYMBOLS)]
    assert refused(broker, frames[0]) == "unknown_point"
    assert looked_at == [len(SYMBOLS)]


def test_refuses_more_power_than_allowed_for_good():
    broker = broker_of(RX)
    loud = SYMBOLS * np.array([[1], [1.01]], dtype=np.float32)
    assert refused(broker, frame_of(), loud) == "over_power"
    assert "over_power" not in RETRIABLE
    assert held(broker) == {RX: 0}


def test_refusal_frees_the_receiver_and_goes_back():
    broker = broker_of(RX)
    send(broker, frame_of(2))
    answer = Refusal(reason="codec_not_loaded", detail="gone", key=key_of(2))
    assert broker.on_downlink(RX, answer, now_s=0) == [Send("uplink", TX, answer)]
    assert held(broker) == {RX: 0}


def test_refusal_without_a_key_goes_nowhere():
    broker = broker_of(RX)
    send(broker, frame_of())
    assert broker.on_downlink(RX, Refusal(reason="checksum", detail=""), now_s=0) == []


def test_restarted_channel_knows_nothing_and_guesses_nothing():
    restarted = Broker("f" * 16, dead_after_s=3.0, queue_frames=100)
    greeted = Hello(role="receiver", peer="r", instance=INSTANCE, codecs=[CODEC])
    (welcome,) = restarted.on_downlink(RX, greeted, now_s=0)
    assert welcome.message == Welcome(instance="f" * 16)
    assert refused(restarted, frame_of()) == "unknown_point"


def test_table_of_points_is_learnt_in_pieces_and_in_any_order():
    broker = Broker(INSTANCE, dead_after_s=3.0, queue_frames=100)
    greet(broker, RX)
    broker.points.learn(PointTable(run="demo", total=3, first=2, points=POINTS[2:]))
    assert send(broker, frame_of(point=2)).side == "downlink"
    assert refused(broker, frame_of(point=1)) == "unknown_point"
    broker.points.learn(PointTable(run="demo", total=3, first=0, points=POINTS[:2]))
    for point, spec in enumerate(POINTS):
        message = send(broker, frame_of(point=point), now_s=1.0).message
        assert isinstance(message, ReceivedFrame)
        assert message.snr_db == spec.snr_db


def test_points_that_are_needed_no_more_are_forgotten_and_count_as_known():
    broker = broker_of(RX)
    later = PointTable(run="demo", total=4, first=3, points=POINTS[:1], lowest=2)
    broker.points.learn(later)
    assert sorted(broker.points.of("demo")) == [2, 3]
    assert broker.points.count("demo") == later.total
    assert refused(broker, frame_of(point=1)) == "unknown_point"
    broker.points.learn(PointTable(run="demo", total=3, first=0, points=POINTS))
    assert sorted(broker.points.of("demo")) == [2, 3], "an overtaken table brings nothing back"
    broker.points.learn(PointTable(run="demo", total=6, first=5, points=POINTS[:1], lowest=2))
    assert broker.points.count("demo") < 6, "a gap is seen"


def test_memory_of_a_run_without_end_is_bounded():
    broker = broker_of(RX)
    for point in range(5000):
        table = {"total": point + 1, "first": point, "lowest": max(0, point - 3)}
        broker.points.learn(PointTable(run="live", points=POINTS[:1], **table))
    assert len(broker.points.of("live")) == 4


def test_only_the_latest_runs_are_kept():
    broker = broker_of(RX)
    others = [f"run-{index}" for index in range(RUNS_REMEMBERED)]
    for run in others[:-1]:
        broker.points.learn(PointTable(run=run, total=1, first=0, points=POINTS[:1]))
    assert send(broker, frame_of()).side == "downlink"
    broker.points.learn(PointTable(run=others[-1], total=1, first=0, points=POINTS[:1]))
    assert refused(broker, frame_of()) == "unknown_point"
    assert broker.points.runs == others


def test_run_whose_table_comes_again_counts_as_the_latest():
    broker = broker_of(RX)
    others = [f"run-{index}" for index in range(RUNS_REMEMBERED)]
    for run in (*others[:-1], "demo", others[-1]):
        broker.points.learn(PointTable(run=run, total=1, first=0, points=POINTS[:1]))
    assert broker.points.runs == [*others[1:-1], "demo", others[-1]]
    assert send(broker, frame_of(point=2)).side == "downlink", "what was known is kept"


@pytest.mark.parametrize(
    "message", [result_of(), Welcome(instance=INSTANCE), LoadCodec(codec="c", digest=CODEC)]
)
def test_message_out_of_place_on_the_uplink_is_refused(message):
    with pytest.raises(ProtocolError) as caught:
        broker_of(RX).greet_transmitter(TX, message, now_s=0)
    assert caught.value.reason == "unexpected"


@pytest.mark.parametrize(
    "message", [frame_of(), Welcome(instance=INSTANCE), LoadCodec(codec="c", digest=CODEC)]
)
def test_message_out_of_place_on_the_downlink_is_refused(message):
    with pytest.raises(ProtocolError) as caught:
        broker_of(RX).on_downlink(RX, message, now_s=0)
    assert caught.value.reason == "unexpected"


@pytest.mark.parametrize("reason", get_args(RefusalReason))
def test_every_reason_can_be_told_and_a_long_story_is_cut(reason):
    told = refusal(ProtocolError(reason, "x" * 1000), key_of())
    assert (told.reason, told.key, len(told.detail)) == (reason, key_of(), 300)


def test_refusal_names_the_frame_that_the_error_names():
    assert refusal(ProtocolError("shape", "", key=key_of(3))).key == key_of(3)
    assert refusal(ProtocolError("shape", "")).key is None


def test_symbols_of_next_to_nothing_get_an_answer_like_all_others():
    sent = send(broker_of(RX), frame_of(), SYMBOLS * np.float32(1e-22))
    assert isinstance(sent.message, ReceivedFrame)
    assert sent.message.snr_measured_db == -400.0
