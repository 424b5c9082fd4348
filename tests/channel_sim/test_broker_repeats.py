"""The broker: frames that come again, and frames that it cannot place."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from channel_sim.broker import MAX_LINKS
from channel_sim.receivers import REPEAT_AFTER_S
from channel_sim.sends import Arrived
from semcom.errors import ProtocolError
from semcom.messages import Hello
from tests.channel_sim.brokering import (
    INSTANCE,
    RX,
    SYMBOLS,
    TX,
    broker_of,
    frame_of,
    greet,
    result_of,
    send,
)


def test_frame_that_a_full_receiver_holds_may_be_sent_to_it_again():
    broker = broker_of(RX, queue_frames=2)
    for frame, now_s in ((0, 0.0), (1, 0.0), (0, REPEAT_AFTER_S)):
        assert send(broker, frame_of(frame), now_s=now_s).side == "downlink"
    assert send(broker, frame_of(2), now_s=1.0).side == "uplink"


def test_frame_repeated_without_a_pause_goes_on_once():
    broker, sent = broker_of(RX), []
    for each in range(10_000):
        arrived = Arrived(TX, frame_of(), SYMBOLS, REPEAT_AFTER_S * each / 5000)
        sent += broker.transmit([arrived])
    assert len(sent) == 2, "in the time of two repeats"
    assert broker.repeated["cifar10"] == 9998
    assert broker.transmit([Arrived(TX, frame_of(), SYMBOLS, 2.0)])


@pytest.mark.parametrize("images", [1, 7, 100])
def test_receiver_that_does_not_answer_holds_bounded_bytes(images):
    """A row of the payload is 3 symbols of 8 bytes, and the channel state."""
    broker, payload = broker_of(RX, queue_frames=10**6, queue_bytes=10_000), 0
    symbols = np.ones((images, 3), dtype=np.complex64)
    for number in range(1000):
        frame = replace(frame_of(number), images=images)
        sent = send(broker, frame, symbols)
        if sent.side == "downlink":
            payload += sent.payload.nbytes
        else:
            assert sent.message.reason == "overloaded"
    (receiver,) = broker.receivers.values()
    assert 10_000 - 32 * images < receiver.held_bytes <= 10_000
    assert payload <= 10_000


def test_frame_larger_than_all_that_a_receiver_may_hold_is_sent_to_one_that_holds_none():
    broker = broker_of(RX, queue_bytes=10)
    assert send(broker, frame_of(0)).side == "downlink"
    assert send(broker, frame_of(1)).message.reason == "overloaded"
    broker.on_downlink(RX, result_of(0), now_s=0)
    assert send(broker, frame_of(1)).side == "downlink"


def test_links_that_speak_are_remembered_up_to_a_bound():
    broker = broker_of(RX)
    for number in range(MAX_LINKS):
        hello = Hello(role="transmitter", peer=f"link-{number}", instance=INSTANCE)
        broker.greet_transmitter(TX, hello, now_s=0.0)
    with pytest.raises(ProtocolError, match="overloaded"):
        broker.greet_transmitter(TX, hello.model_copy(update={"peer": "more"}), now_s=0.0)
    assert send(broker, frame_of(0, link="more")).message.reason == "overloaded"
    assert not broker.receivers[RX].held
    assert send(broker, frame_of(0, link="link-7")).side == "downlink"
    broker.forget_silent(3.1)
    greet(broker, RX, now_s=3.1)
    assert send(broker, frame_of(0, link="more")).side == "downlink"


def test_frame_that_cannot_be_placed_does_not_redirect_the_answers_of_its_link():
    broker = broker_of(RX)
    send(broker, frame_of(0), by=TX)
    send(broker, frame_of(0, run="no-such-run"), by=b"stranger")
    assert broker.on_downlink(RX, result_of(0), now_s=0)[0].to == TX
