"""The broker: frames that come again, and frames that it cannot place."""

from __future__ import annotations

from tests.channel_sim.brokering import RX, TX, broker_of, frame_of, result_of, send


def test_frame_that_a_full_receiver_holds_may_be_sent_to_it_again():
    broker = broker_of(RX, queue_frames=2)
    for frame in (0, 1, 0):
        assert send(broker, frame_of(frame)).side == "downlink"
    assert send(broker, frame_of(2)).side == "uplink"


def test_frame_that_cannot_be_placed_does_not_redirect_the_answers_of_its_link():
    broker = broker_of(RX)
    send(broker, frame_of(0), by=TX)
    send(broker, frame_of(0, run="no-such-run"), by=b"stranger")
    assert broker.on_downlink(RX, result_of(0), now_s=0)[0].to == TX
