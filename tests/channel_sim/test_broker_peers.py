"""The channel without sockets: where results go, and who is forgotten."""

from __future__ import annotations

import pytest

from channel_sim.sends import Send
from semcom.errors import ProtocolError
from semcom.messages import (
    Hello,
    Refusal,
)
from tests.channel_sim.brokering import (
    CODEC,
    INSTANCE,
    RX,
    broker_of,
    frame_of,
    greet,
    held,
    key_of,
    refused,
    result_of,
    send,
)


def test_result_goes_to_the_latest_transmitter_of_its_link():
    broker = broker_of(RX)
    send(broker, frame_of(0), by=b"old")
    send(broker, frame_of(0, link="cifar100"), by=b"elsewhere")
    result = result_of(0)
    assert broker.on_downlink(RX, result, now_s=0) == [Send("uplink", b"old", result)]
    send(broker, frame_of(1), by=b"new")
    assert broker.on_downlink(RX, result, now_s=0) == [Send("uplink", b"new", result)]
    hello = Hello(role="transmitter", peer="cifar10", instance=INSTANCE)
    broker.greet_transmitter(b"newest", hello, now_s=0)
    assert broker.on_downlink(RX, result, now_s=0) == [Send("uplink", b"newest", result)]
    other = result_of(0, link="cifar100")
    assert broker.on_downlink(RX, other, now_s=0) == [Send("uplink", b"elsewhere", other)]


def test_result_of_a_link_nobody_speaks_for_is_dropped():
    assert broker_of(RX).on_downlink(RX, result_of(), now_s=0) == []


def test_answer_of_a_stranger_is_refused():
    broker = broker_of(RX)
    send(broker, frame_of())
    broker.forget_silent(9.0)
    for answer in (result_of(), Refusal(reason="internal", detail="", key=key_of())):
        with pytest.raises(ProtocolError) as caught:
            broker.on_downlink(RX, answer, now_s=0)
        assert caught.value.reason == "unexpected"


@pytest.mark.parametrize("role", ["channel", "receiver", "orchestrator"])
def test_only_transmitters_dial_the_uplink(role):
    hello = Hello(role=role, peer="cifar10", instance=INSTANCE)
    with pytest.raises(ProtocolError) as caught:
        broker_of(RX).greet_transmitter(b"x", hello, now_s=0)
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


def test_receiver_is_heard_by_whatever_it_says():
    """Its hello may wait behind many answers."""
    broker = broker_of(RX)
    for frame in range(2):
        send(broker, frame_of(frame))
    broker.on_downlink(RX, result_of(0), now_s=2.0)
    assert broker.forget_silent(4.0) == []
    refusal = Refusal(reason="internal", detail="", key=key_of(1))
    broker.on_downlink(RX, refusal, now_s=4.0)
    assert broker.forget_silent(6.0) == []
    assert len(broker.forget_silent(7.1)) == 1


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


def test_receiver_that_takes_no_more_messages_is_left_out_and_the_frame_refused_at_once():
    broker = broker_of(b"r1", b"r2")
    lost = send(broker, frame_of(0))
    (told,) = broker.undelivered(lost.message, to=lost.to, now_s=0.0)
    assert (told.side, told.to) == ("uplink", b"transmitter")
    assert (told.message.reason, told.message.key) == ("no_receiver", key_of(0))
    assert broker.undelivered(lost.message, to=b"never there", now_s=0.0) == [told]
    assert [send(broker, frame_of(frame)).to for frame in range(2)] == [b"r2"] * 2
    assert [rest.peer for rest in broker.take_rests()] == ["receiver-1"]
    assert broker.take_rests() == []
