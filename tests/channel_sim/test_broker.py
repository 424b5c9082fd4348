"""The channel without sockets: where frames go, where results go, and what is refused."""

from __future__ import annotations

from typing import Any, get_args

import numpy as np
import pytest

from channel_sim.broker import RUNS_REMEMBERED, Broker, Send, refusal
from channel_sim.channels import draw_channel, pass_through
from semcom import wire
from semcom.errors import ProtocolError
from semcom.messages import (
    RETRIABLE,
    FrameKey,
    Hello,
    LoadCodec,
    PointTable,
    ReceivedFrame,
    Refusal,
    RefusalReason,
    SymbolFrame,
    TaskResult,
    Welcome,
)
from semcom.points import ChannelSettings, PointSpec

INSTANCE = "0123456789abcdef"
CODEC, OTHER_CODEC = "ab" * 32, "cd" * 32
POINTS = [
    PointSpec(channel=ChannelSettings(model="awgn"), snr_db=5.0),
    PointSpec(channel=ChannelSettings(model="rayleigh", equalizer="mmse"), snr_db=10.0, seed=3),
    PointSpec(channel=ChannelSettings(model="rayleigh", csi="none"), snr_db=10.0, seed=3),
]
TX, RX = b"transmitter", b"receiver"
SYMBOLS = np.exp(1j * np.arange(6)).astype(np.complex64).reshape(2, 3)


def broker_of(*receivers: bytes, queue_frames: int = 100, **options: Any) -> Broker:
    """A broker that knows the points of `demo`, with receivers that have the codec."""
    broker = Broker(INSTANCE, dead_after_s=3.0, queue_frames=queue_frames, **options)
    broker.learn(PointTable(run="demo", total=len(POINTS), first=0, points=POINTS))
    for identity in receivers:
        greet(broker, identity)
    return broker


def greet(broker: Broker, identity: bytes, *codecs: str, now_s: float = 0.0) -> None:
    """A receiver says hello."""
    hello = Hello(
        role="receiver", peer="receiver-1", instance=INSTANCE, codecs=list(codecs or (CODEC,))
    )
    assert broker.on_downlink(identity, hello, now_s=now_s) == [
        Send("downlink", identity, Welcome(instance=INSTANCE))
    ]


def key_of(frame: int = 0, *, link: str = "cifar10", point: int = 0, run: str = "demo") -> FrameKey:
    return FrameKey(run=run, point=point, link=link, frame=frame)


def frame_of(frame: int = 0, *, codec: str = CODEC, **key: Any) -> SymbolFrame:
    return SymbolFrame(
        key=key_of(frame, **key), first_image=2 * frame, images=2, symbols=3, codec=codec
    )


def result_of(frame: int = 0, **key: Any) -> TaskResult:
    return TaskResult(
        key=key_of(frame, **key),
        codec=CODEC,
        predictions=b"\0\0\1\0",
        channel_ms=0,
        batch_wait_ms=0,
        decode_ms=0,
    )


def send(
    broker: Broker, frame: SymbolFrame, symbols: Any = SYMBOLS, *, by: bytes = TX, now_s: float = 0
) -> Send:
    """The one thing that comes of a frame."""
    (sent,) = broker.on_uplink(by, frame, symbols, now_s=now_s)
    return sent


def refused(broker: Broker, frame: SymbolFrame, symbols: Any = SYMBOLS) -> str:
    """Why a frame is refused; the refusal goes to its sender and names the frame."""
    sent = send(broker, frame, symbols)
    assert (sent.side, sent.to) == ("uplink", TX)
    assert isinstance(sent.message, Refusal)
    assert sent.message.key == frame.key
    assert sent.message.detail
    return sent.message.reason


def held(broker: Broker) -> dict[bytes, int]:
    """How many frames each receiver holds."""
    return {identity: len(receiver.held) for identity, receiver in broker.receivers.items()}


def test_hello_is_answered_with_the_instance_of_this_life():
    broker = broker_of()
    hello = Hello(role="transmitter", peer="cifar10", instance="f" * 16)
    (answer,) = broker.on_uplink(TX, hello, wire.EMPTY, now_s=0)
    assert answer == Send("uplink", TX, Welcome(instance=INSTANCE))


def test_frame_goes_through_the_channel_of_its_point_to_the_receiver():
    ticks = iter([10.0, 10.25])
    broker = broker_of(RX, clock=lambda: next(ticks))
    sent = send(broker, frame_of(4, point=1))
    assert (sent.side, sent.to) == ("downlink", RX)
    assert sent.message == ReceivedFrame(
        key=key_of(4, point=1),
        images=2,
        symbols=3,
        codec=CODEC,
        csi=True,
        snr_db=10.0,
        equalizer="mmse",
        channel_ms=250.0,
    )
    draw = draw_channel(POINTS[1], link="cifar10", first_image=8, images=2, symbols=3)
    assert np.array_equal(sent.payload[:, :1], draw.fading_B1)
    assert np.array_equal(sent.payload[:, 1:], pass_through(SYMBOLS, draw))


@pytest.mark.parametrize("point", [0, 2])
def test_without_channel_state_only_symbols_are_handed_on(point):
    sent = send(broker_of(RX), frame_of(point=point))
    assert isinstance(sent.message, ReceivedFrame)
    assert not sent.message.csi
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
    again = send(broker, frame_of(3, point=1))
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
    for _ in range(5):
        send(broker, frame_of())
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


def test_result_goes_to_the_latest_transmitter_of_its_link():
    broker = broker_of(RX)
    send(broker, frame_of(0), by=b"old")
    send(broker, frame_of(0, link="cifar100"), by=b"elsewhere")
    result = result_of(0)
    assert broker.on_downlink(RX, result, now_s=0) == [Send("uplink", b"old", result)]
    send(broker, frame_of(1), by=b"new")
    assert broker.on_downlink(RX, result, now_s=0) == [Send("uplink", b"new", result)]
    hello = Hello(role="transmitter", peer="cifar10", instance=INSTANCE)
    broker.on_uplink(b"newest", hello, wire.EMPTY, now_s=0)
    assert broker.on_downlink(RX, result, now_s=0) == [Send("uplink", b"newest", result)]
    other = result_of(0, link="cifar100")
    assert broker.on_downlink(RX, other, now_s=0) == [Send("uplink", b"elsewhere", other)]


def test_result_of_a_link_nobody_speaks_for_is_dropped():
    assert broker_of(RX).on_downlink(RX, result_of(), now_s=0) == []


def test_answer_of_a_stranger_is_refused():
    broker = broker_of(RX)
    send(broker, frame_of())
    broker.lost(RX)
    for answer in (result_of(), Refusal(reason="internal", detail="", key=key_of())):
        with pytest.raises(ProtocolError) as caught:
            broker.on_downlink(RX, answer, now_s=0)
        assert caught.value.reason == "unexpected"


@pytest.mark.parametrize("role", ["channel", "receiver", "orchestrator"])
def test_only_transmitters_dial_the_uplink(role):
    hello = Hello(role=role, peer="cifar10", instance=INSTANCE)
    with pytest.raises(ProtocolError) as caught:
        broker_of(RX).on_uplink(b"x", hello, wire.EMPTY, now_s=0)
    assert caught.value.reason == "unexpected"


@pytest.mark.parametrize("role", ["channel", "transmitter", "orchestrator"])
def test_only_receivers_dial_the_downlink(role):
    broker = broker_of()
    hello = Hello(role=role, peer="receiver", instance=INSTANCE, codecs=[CODEC])
    with pytest.raises(ProtocolError) as caught:
        broker.on_downlink(b"x", hello, now_s=0)
    assert caught.value.reason == "unexpected"
    assert held(broker) == {}


def test_receiver_silent_for_too_long_is_forgotten_with_what_it_holds():
    broker = broker_of(b"r1", b"r2")
    send(broker, frame_of(0), now_s=0.0)
    send(broker, frame_of(1), now_s=0.0)
    greet(broker, b"r2", now_s=2.0)
    assert broker.forget_silent(3.0) == []
    (gone,) = broker.forget_silent(3.1)
    assert len(gone.held) == 1
    assert held(broker) == {b"r2": 1}
    assert [send(broker, frame_of(frame)).to for frame in range(2, 5)] == [b"r2"] * 3
    assert len(broker.forget_silent(5.1)) == 1
    assert refused(broker, frame_of(9)) == "no_receiver"


def test_receiver_that_comes_back_starts_with_empty_hands():
    broker = broker_of(RX)
    send(broker, frame_of())
    broker.forget_silent(4.0)
    greet(broker, RX, now_s=5.0)
    assert held(broker) == {RX: 0}


def test_transmitter_silent_for_too_long_is_forgotten():
    broker = broker_of(RX)
    send(broker, frame_of(), now_s=1.0)
    for now_s, there in ((4.0, True), (4.1, False)):
        greet(broker, RX, now_s=now_s)
        broker.forget_silent(now_s)
        assert bool(broker.on_downlink(RX, result_of(), now_s=now_s)) == there


def test_lost_connection_takes_the_receiver_out_at_once():
    broker = broker_of(b"r1", b"r2")
    broker.lost(b"r1")
    broker.lost(b"never there")
    assert [send(broker, frame_of(frame)).to for frame in range(2)] == [b"r2"] * 2


def test_restarted_channel_knows_nothing_and_guesses_nothing():
    restarted = Broker("f" * 16, dead_after_s=3.0, queue_frames=100)
    greeted = Hello(role="receiver", peer="r", instance=INSTANCE, codecs=[CODEC])
    (welcome,) = restarted.on_downlink(RX, greeted, now_s=0)
    assert welcome.message == Welcome(instance="f" * 16)
    assert refused(restarted, frame_of()) == "unknown_point"


def test_table_of_points_is_learnt_in_pieces_and_in_any_order():
    broker = Broker(INSTANCE, dead_after_s=3.0, queue_frames=100)
    greet(broker, RX)
    broker.learn(PointTable(run="demo", total=3, first=2, points=POINTS[2:]))
    assert send(broker, frame_of(point=2)).side == "downlink"
    assert refused(broker, frame_of(point=1)) == "unknown_point"
    broker.learn(PointTable(run="demo", total=3, first=0, points=POINTS[:2]))
    for point, spec in enumerate(POINTS):
        message = send(broker, frame_of(point=point)).message
        assert isinstance(message, ReceivedFrame)
        assert message.snr_db == spec.snr_db


def test_only_the_latest_runs_are_kept():
    broker = broker_of(RX)
    others = [f"run-{index}" for index in range(RUNS_REMEMBERED)]
    for run in others[:-1]:
        broker.learn(PointTable(run=run, total=1, first=0, points=POINTS[:1]))
    assert send(broker, frame_of()).side == "downlink"
    broker.learn(PointTable(run=others[-1], total=1, first=0, points=POINTS[:1]))
    assert refused(broker, frame_of()) == "unknown_point"
    assert list(broker.points) == others


@pytest.mark.parametrize(
    "message", [result_of(), Welcome(instance=INSTANCE), LoadCodec(codec="c", digest=CODEC)]
)
def test_message_out_of_place_on_the_uplink_is_refused(message):
    with pytest.raises(ProtocolError) as caught:
        broker_of(RX).on_uplink(TX, message, wire.EMPTY, now_s=0)
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
