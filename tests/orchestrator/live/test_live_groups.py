"""Groups of a live system: shared points, slots that lie ahead, changes for all of their links."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.live.live_groups import LEAD_S
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.live.requests import ChannelRequest
from orchestrator.live.stream import Stream
from semcom.errors import ConfigurationError
from semcom.messages import PointTable, StreamAssignment
from semcom.settings import validate
from tests.orchestrator.ledgers import fake_link
from tests.orchestrator.live.streaming import (
    OTHER_INSTANCE,
    RUN,
    Channel,
    receiver_greets,
    result_of,
    transmitter_greets,
)

LINKS = ("alice", "bob", "carol")
RATE_HZ = 4.0


def content_of(**changes: Any) -> dict[str, Any]:
    link = {"dataset": "d", "codec": "c", "rate_hz": RATE_HZ, "frame_images": 10}
    return {
        "name": "live",
        "mode": "live",
        "links": dict.fromkeys(LINKS, link),
        "groups": {"street": {"kind": "interference", "links": ["carol", "alice", "bob"]}},
        "interference": {"sir_db": 10},
        **changes,
    }


def stream_of(**changes: Any) -> Stream:
    scenario = validate(LiveScenario, content_of(**changes), where="s")
    planned = {name: fake_link("d", images=25) for name in scenario.links}
    return Stream(scenario, planned, run=RUN, now_s=0.0)


def told_at(stream: Stream, channel: Channel, now_s: float) -> dict[str, StreamAssignment]:
    """What transmitters are moved to at that time."""
    channel.learn([order.message for order in stream.tick(now_s)])
    channel.greet()
    return {order.peer: order.message for order in stream.moves()}


def started(stream: Stream, now_s: float = 0.0) -> tuple[Channel, dict[str, StreamAssignment]]:
    channel = Channel(stream)
    receiver_greets(stream)
    for link in LINKS:
        transmitter_greets(stream, link=link)
    return channel, told_at(stream, channel, now_s)


def test_group_begins_when_all_of_its_links_are_there():
    stream = stream_of()
    channel = Channel(stream)
    receiver_greets(stream)
    for link in LINKS:
        assert told_at(stream, channel, 0.0) == {}
        transmitter_greets(stream, link=link)
    told = told_at(stream, channel, 1.0)
    assert sorted(told) == sorted(LINKS)
    assert {(it.point, it.epoch, it.first_frame) for it in told.values()} == {(0, 0, 0)}
    assert [told[name].user for name in LINKS] == [0, 1, 2]
    assert told["bob"].spec.interference.interferers == 2


def test_channel_is_told_of_the_group_with_every_point():
    stream = stream_of(patience_s=0.5)
    for link in LINKS:
        transmitter_greets(stream, link=link)
    (order,) = stream.tick(0.0)
    assert isinstance(order.message, PointTable)
    (group,) = order.message.groups
    assert (group.links, group.patience_s) == (sorted(LINKS), 0.5)


def test_change_takes_effect_with_one_slot_ahead_for_all():
    stream = stream_of()
    channel, _ = started(stream)
    stream.set_channel(ChannelRequest(link="bob", snr_db=-3, sir_db=20, interferers=1))
    told = told_at(stream, channel, 10.0)
    assert {(it.point, it.epoch) for it in told.values()} == {(1, 0)}
    ahead = RATE_HZ * (10.0 + LEAD_S - LEAD_S)
    assert {it.first_frame for it in told.values()} == {ahead}
    assert {(it.spec.snr_db, it.spec.interference.sir_db) for it in told.values()} == {(-3, 20)}
    row = stream.status(11.0, heard=LINKS)[0]["group"]
    assert (row["interference"]["sir_db"], row["interference"]["interferers"]) == (20, 1)


def test_without_interferers_a_point_has_no_interference():
    stream = stream_of()
    channel, _ = started(stream)
    stream.set_channel(ChannelRequest(link="street", interferers=0))
    assert {it.spec.interference for it in told_at(stream, channel, 5.0).values()} == {None}


def test_link_that_starts_again_begins_with_a_slot_ahead_and_the_others_go_on():
    stream = stream_of()
    channel, told = started(stream)
    for link, work in told.items():
        transmitter_greets(stream, work, link=link, offered=8, unrecorded=2)
    transmitter_greets(stream, link="bob", instance=OTHER_INSTANCE)
    again = told_at(stream, channel, 2.0)
    assert {it.point for it in again.values()} == {1}
    assert {name: it.epoch for name, it in again.items()} == {"alice": 0, "bob": 1, "carol": 0}
    (first,) = {it.first_frame for it in again.values()}
    assert first == RATE_HZ * 2.0
    account = stream.links["bob"].account
    assert (account.offered, account.lost, account.open) == (8, 8, 0)
    results = [result_of(again["bob"], first, absent=["carol"])]
    assert stream.results("bob", again["bob"].codec_digest, results, now_s=3.0) == 1
    row = stream.status(3.0, heard=LINKS)[1]
    assert (row["incomplete"], row["absent"], row["recorded"]) == (1, {"carol": 1}, 1)


def test_transmitter_of_a_group_is_told_again_when_its_slots_are_due():
    stream = stream_of()
    _, told = started(stream)
    again = transmitter_greets(stream, told["bob"], link="bob")
    assert again is not None
    assert (again.point, again.first_frame) == (0, 0)
    assert again.due_in_s <= told["bob"].due_in_s


def test_point_of_a_group_takes_results_of_its_links_alone():
    stream = stream_of(links={**content_of()["links"], "dave": content_of()["links"]["bob"]})
    channel, told = started(stream)
    transmitter_greets(stream, link="dave")
    alone = told_at(stream, channel, 1.0)["dave"]
    assert (alone.user, alone.due_in_s, alone.first_frame) == (None, None, 0)
    assert alone.point not in {it.point for it in told.values()}


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"link": "bob", "interferers": 3}, "a link meets at most 2"),
        ({"link": "nobody", "sir_db": 1}, "no link 'nobody'"),
    ],
)
def test_change_that_cannot_be_is_refused_and_changes_nothing(wanted, said):
    stream = stream_of()
    started(stream)
    with pytest.raises(ConfigurationError, match=said):
        stream.set_channel(ChannelRequest(**wanted))
    assert stream.tick(5.0) == [], "there is no new point"


def test_superposed_links_have_no_sir():
    content = content_of(groups={"cell": {"links": list(LINKS)}})
    del content["interference"]
    scenario = validate(LiveScenario, content, where="s")
    planned = {name: fake_link("d", images=25) for name in LINKS}
    stream = Stream(scenario, planned, run=RUN, now_s=0.0)
    with pytest.raises(ConfigurationError, match="superposed"):
        stream.set_channel(ChannelRequest(link="bob", sir_db=3))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"links": {**content_of()["links"], "bob": {**content_of()["links"]["bob"], "seed": 4}}},
         "seed of bob differs from that of alice"),
        ({"links": {n: {**it, "arrivals": "poisson"} for n, it in content_of()["links"].items()}},
         "arrivals: fixed"),
        ({"interference": {"interferers": 3}}, "a link meets at most 2"),
        ({"groups": {}}, "interference has no effect: no group has kind"),
        ({"groups": {"street": {"kind": "interference", "links": ["alice", "x"]}}},
         "x is not a link"),
        ({"patience_s": 0}, "patience_s"),
    ],
)  # fmt: skip
def test_wrong_group_is_one_line(changes, said):
    with pytest.raises(ConfigurationError, match=said) as raised:
        validate(LiveScenario, content_of(**changes), where="s.yaml")
    assert "\n" not in str(raised.value)
