"""The broker and frames that meet: one ReceivedFrame, an answer for each link, and who is asked."""

from __future__ import annotations

import numpy as np
import pytest

from channel_sim.broker import Broker
from channel_sim.channels import Codewords
from channel_sim.interference import Sent, interfere
from channel_sim.sends import Send
from channel_sim.slots import WANTED_EVERY_S
from channel_sim.superposition import superpose
from semcom.frame_messages import ReceivedFrame, TaskResult
from semcom.interference import Interference
from semcom.messages import PointTable, Refusal, Wanted
from semcom.points import PointSpec
from tests.channel_sim.brokering import CODEC, POINTS, RX, broker_of, greet, held
from tests.channel_sim.meeting import group_of, held_of, symbols_of

GROUP = group_of("a", "b")
RAYLEIGH = 1  # of POINTS


def pair_broker(*receivers: bytes, **options) -> Broker:
    broker = broker_of(*receivers, **options)
    table = PointTable(run="demo", total=len(POINTS), first=0, points=POINTS, groups=[GROUP])
    broker.points.learn(table)
    return broker


def serve(broker: Broker, frame: int = 0, *, point: int = RAYLEIGH, at_s: float = 0.0) -> Send:
    """Both links send a frame; what comes of the second one."""
    assert broker.transmit([held_of("b", frame, point=point, at_s=at_s)]) == []
    (sent,) = broker.transmit([held_of("a", frame, point=point, at_s=at_s)])
    return sent


def answer(broker: Broker, link: str, frame: int = 0, *, now_s: float = 0.1) -> list[Send]:
    key = held_of(link, frame, point=RAYLEIGH).message.key
    result = TaskResult(key=key, codec=CODEC, channel_ms=0, batch_wait_ms=0, decode_ms=0)
    return broker.on_downlink(RX, result, now_s=now_s)


def test_slot_goes_to_one_receiver_as_one_frame_that_names_all_links():
    sent = serve(pair_broker(RX, b"other"))
    assert sent.side == "downlink"
    assert isinstance(sent.message, ReceivedFrame)
    assert sent.message.links == ["a", "b"]
    assert (sent.message.key.link, sent.message.csi_columns) == ("a", 2)
    members = [Codewords(POINTS[RAYLEIGH], link, 0, 2) for link in "ab"]
    expected = superpose(GROUP, members, [symbols_of("a", 0), symbols_of("b", 0)])
    assert np.array_equal(sent.payload, expected.payload)
    assert sent.message.snr_measured_db == expected.snr_measured_db


def test_each_answer_goes_to_its_link_and_the_receiver_holds_the_frame_no_more():
    broker = pair_broker(RX)
    serve(broker)
    assert held(broker) == {RX: 1}
    for link in "ba":
        (passed,) = answer(broker, link)
        assert (passed.side, passed.to) == ("uplink", f"tx-{link}".encode())
        assert held(broker) == {RX: 0}


def test_repeat_has_the_same_frame_made_again():
    broker = pair_broker(RX)
    first = serve(broker)
    (again,) = broker.transmit([held_of("b", 0, point=RAYLEIGH, at_s=2.0)])
    assert again.payload.tobytes() == first.payload.tobytes()
    assert broker.transmit([held_of("a", 0, point=RAYLEIGH, at_s=2.1)]) == [], "it was just sent"
    assert broker.repeated["a"] == 1


def test_restarted_channel_asks_for_what_was_answered_already():
    broker = pair_broker(RX)
    serve(broker)
    answer(broker, "a")
    fresh = pair_broker(RX)  # it lost the answer to b, and all frames
    fresh.transmit([held_of("a", 1, point=RAYLEIGH)])  # so it knows who speaks for a
    fresh.transmit([held_of("b", 0, point=RAYLEIGH)])
    asked = fresh.wanted(WANTED_EVERY_S)
    wanted = [(link, send.to, send.message) for link, send in asked]
    assert {(link, to) for link, to, _ in wanted} == {("a", b"tx-a"), ("b", b"tx-b")}
    assert all(isinstance(message, Wanted) for *_, message in wanted)
    assert fresh.waiting_for() == {"a": 1, "b": 1}


def test_refusal_of_a_slot_reaches_the_link_that_completed_it():
    broker = pair_broker()
    sent = serve(broker)
    assert (sent.side, sent.to) == ("uplink", b"tx-a")
    assert isinstance(sent.message, Refusal)
    assert sent.message.reason == "no_receiver"
    later = pair_broker(RX)
    later.transmit([held_of("b", 0, point=RAYLEIGH)])
    assert later.transmit([held_of("a", 0, point=RAYLEIGH)])[0].side == "downlink"


def test_frame_that_is_refused_by_the_receiver_is_asked_of_it_no_more():
    broker = pair_broker(RX)
    sent = serve(broker)
    refusal = Refusal(reason="overloaded", detail="no room", key=sent.message.key)
    (passed,) = broker.on_downlink(RX, refusal, now_s=0.1)
    assert passed.to == b"tx-a"
    assert held(broker) == {RX: 0}


@pytest.mark.parametrize("scale", [1.1, 2.0])
def test_each_member_keeps_to_the_power_bound_by_itself(scale):
    broker = pair_broker(RX)
    loud = (scale * symbols_of("a", 0)).astype(np.complex64)
    (sent,) = broker.transmit([held_of("a", 0, point=RAYLEIGH, payload=loud)])
    assert sent.message.reason == "over_power"
    assert broker.waiting_for() == {}


def test_link_in_no_group_is_served_at_once_beside_one():
    broker = pair_broker(RX)
    sends = broker.transmit([held_of("a"), held_of("z")])
    assert [send.message.key.link for send in sends] == ["z"]
    assert sends[0].message.links == []


def test_slots_of_forgotten_runs_and_finished_points_are_dropped():
    broker = pair_broker(RX)
    broker.transmit([held_of("a", 0, point=0)])
    broker.points.learn(
        PointTable(run="demo", total=3, first=2, points=POINTS[2:], lowest=1, groups=[GROUP])
    )
    assert broker.wanted(0.0) == []
    assert broker.waiting_for() == {"a": 0, "b": 0}


INTERFERING = group_of("a", "b", "c", powers=[], kind="interference")
MET = PointSpec(
    channel=POINTS[RAYLEIGH].channel,
    snr_db=10.0,
    interference=Interference(interferers=1, sir_db=3),
)
ALONE = PointSpec(channel=MET.channel, snr_db=10.0)


def interfering_broker(*receivers: bytes, **options) -> Broker:
    broker = broker_of(*receivers, **options)
    points = [ALONE, MET]
    broker.points.learn(
        PointTable(run="demo", total=2, first=0, points=points, groups=[INTERFERING])
    )
    return broker


def interfering(broker: Broker, *links: str, at_s: float = 0.0) -> list[Send]:
    return [
        send for link in links for send in broker.transmit([held_of(link, 0, point=1, at_s=at_s)])
    ]


def test_complete_slot_of_interfering_links_is_a_frame_for_each_with_the_others_in_it():
    broker = interfering_broker(RX)
    assert interfering(broker, "c", "a") == []
    sends = interfering(broker, "b")
    assert [send.message.key.link for send in sends] == ["a", "b", "c"]
    frames = {
        link: Sent(Codewords(MET, link, 0, 2), symbols_of(link, 0)) for link in INTERFERING.links
    }
    for send in sends:
        link = send.message.key.link
        others = [frame for other, frame in frames.items() if other != link]
        expected = interfere(INTERFERING, frames[link], others)
        assert np.array_equal(send.payload, expected.payload)
        assert send.message.links == []
    assert held(broker) == {RX: 3}


def test_frame_of_a_point_without_interferers_waits_for_nobody():
    broker = interfering_broker(RX)
    (sent,) = broker.transmit([held_of("b", 0, point=0)])
    assert sent.message.key.link == "b"
    assert broker.waiting_for() == {}


def test_repeat_of_an_interfering_link_is_made_again_for_it_alone():
    broker = interfering_broker(RX)
    first = {send.message.key.link: send for send in interfering(broker, "a", "b", "c")}
    (again,) = interfering(broker, "b", at_s=2.0)
    assert again.message.key.link == "b"
    assert again.payload.tobytes() == first["b"].payload.tobytes()


def test_interfering_frames_that_nobody_can_take_are_refused_to_each_sender_and_may_come_again():
    broker = interfering_broker()
    refusals = interfering(broker, "a", "b", "c")
    assert {(send.to, send.message.reason) for send in refusals} == {
        (f"tx-{link}".encode(), "no_receiver") for link in "abc"
    }
    greet(broker, RX)
    assert {send.message.key.link for send in interfering(broker, "c", at_s=1.0)} == {*"abc"}


PATIENT = group_of("a", "b", patience_s=0.5)


def patient_broker(group=PATIENT, points=POINTS) -> Broker:
    broker = broker_of(RX)
    table = PointTable(run="demo", total=len(points), first=0, points=points, groups=[group])
    broker.points.learn(table)
    return broker


def test_slot_without_a_member_is_what_the_others_send_and_names_who_was_absent():
    broker = patient_broker()
    assert broker.transmit([held_of("b", point=RAYLEIGH, at_s=0.0)]) == []
    assert broker.serve_overdue(0.4) == []
    (sent,) = broker.serve_overdue(0.5)
    message = sent.message
    assert isinstance(message, ReceivedFrame)
    assert (message.links, message.absent, message.key.link) == (["a", "b"], ["a"], "b")
    members = [Codewords(POINTS[RAYLEIGH], link, 0, 2) for link in "ab"]
    nothing = np.zeros_like(symbols_of("a", 0))
    expected = superpose(PATIENT, members, [nothing, symbols_of("b", 0)])
    assert np.array_equal(sent.payload, expected.payload)
    assert broker.take_absent() == {"a": 1}
    assert broker.take_absent() == {}


def test_late_frame_and_its_answer_have_a_place_of_their_own():
    broker = patient_broker()
    broker.transmit([held_of("b", point=RAYLEIGH, at_s=0.0)])
    broker.serve_overdue(0.5)
    (late,) = broker.transmit([held_of("a", point=RAYLEIGH, at_s=0.6)])
    assert isinstance(late.message, ReceivedFrame)
    assert (late.message.key.link, late.message.absent) == ("a", ["b"])
    assert held(broker) == {RX: 2}
    for link in "ab":
        (passed,) = answer(broker, link, now_s=0.7)
        assert passed.to == f"tx-{link}".encode()
    assert held(broker) == {RX: 0}


def test_interferer_that_is_absent_adds_nothing():
    group = group_of("a", "b", kind="interference", powers=[], patience_s=0.5)
    point = PointSpec(snr_db=10, interference=Interference(interferers=1, sir_db=0))
    broker = patient_broker(group, [point])
    broker.transmit([held_of("a", at_s=0.0)])
    (sent,) = broker.serve_overdue(0.5)
    assert isinstance(sent.message, ReceivedFrame)
    assert (sent.message.key.link, sent.message.links, sent.message.absent) == ("a", [], ["b"])
    alone = Sent(Codewords(point.model_copy(update={"interference": None}), "a", 0, 2),
                 symbols_of("a", 0))  # fmt: skip
    assert np.array_equal(sent.payload, interfere(group, alone, []).payload)


def test_overdue_slot_that_no_receiver_can_take_is_refused_to_all_that_are_there():
    broker = broker_of()
    table = PointTable(run="demo", total=len(POINTS), first=0, points=POINTS, groups=[PATIENT])
    broker.points.learn(table)
    broker.transmit([held_of("b", point=RAYLEIGH, at_s=0.0)])
    (refused,) = broker.serve_overdue(0.5)
    assert isinstance(refused.message, Refusal)
    assert (refused.to, refused.message.reason) == (b"tx-b", "no_receiver")
