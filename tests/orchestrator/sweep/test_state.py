"""The sweep's state machine: what each peer lacks, and when a sweep is done or stuck."""

from __future__ import annotations

import pytest

from orchestrator.plan.groups import PlannedGroup
from orchestrator.sweep.state import GROUP_POINTS_AHEAD, POINTS_AHEAD, Sweep, few_spans, spans
from semcom.errors import ConfigurationError
from semcom.messages import Assignment, CodecReport, Hello, LoadCodec, PointTable
from tests.orchestrator.ledgers import fake_codec, fake_link, fake_plan

INSTANCE = "0123456789abcdef"
OTHER_INSTANCE = "fedcba9876543210"
LINK = "shapes10"


def sweep_of(plan=None, recorded=None):
    return Sweep(plan or fake_plan(), recorded=recorded or {}, window=8, encode_once=True)


def hello(role="transmitter", peer=LINK, instance=INSTANCE, **fields):
    return Hello(role=role, peer=peer, instance=instance, **fields)


def with_receiver(sweep):
    digests = [codec.digest for link in sweep.plan.links.values() for codec in link.codecs]
    sweep.hello(hello("receiver", "receiver-1", codecs=digests))
    return sweep


def points_of(messages):
    return [message.point for message in messages if isinstance(message, Assignment)]


def record_all(sweep, link, point):
    return sweep.recorded(link, [(point, frame) for frame in range(sweep.plan.frames(link))])


def test_nothing_is_assigned_before_a_receiver_has_the_codec():
    sweep = sweep_of()
    assert sweep.hello(hello()) == []
    assert points_of(with_receiver(sweep).hello(hello())) == list(range(POINTS_AHEAD))


def test_finished_point_is_followed_by_the_next_one_at_once():
    sweep = with_receiver(sweep_of())
    sweep.hello(hello())
    assert points_of(record_all(sweep, LINK, 0)) == [POINTS_AHEAD]


def test_assignment_that_got_lost_is_sent_again_and_one_at_work_is_not():
    sweep = with_receiver(sweep_of())
    sweep.hello(hello())
    assert points_of(sweep.hello(hello(busy=[0]))) == [1]
    assert points_of(sweep.hello(hello(busy=[0, 1]))) == []


def test_restarted_transmitter_gets_just_what_is_missing():
    sweep = with_receiver(sweep_of())
    sweep.hello(hello())
    sweep.recorded(LINK, [(0, 1)])
    messages = sweep.hello(hello(instance=OTHER_INSTANCE, busy=[]))
    assert messages[0].frames == [(0, 1), (2, 3)]


def test_resumed_sweep_leaves_recorded_frames_alone():
    plan = fake_plan()
    recorded = {(0, LINK): {0, 1, 2}, (1, LINK): {0}}
    sweep = with_receiver(sweep_of(plan, recorded))
    assert sweep.missing_frames == plan.total_frames - 4
    messages = sweep.hello(hello())
    assert [(m.point, m.frames) for m in messages] == [(1, [(1, 3)]), (2, [(0, 3)])]


def test_sweep_is_complete_only_when_every_frame_of_every_link_is_recorded():
    sweep = with_receiver(sweep_of())
    for link in sweep.plan.links:
        for point in sweep.plan.points_of(link):
            assert not sweep.complete
            record_all(sweep, link, point)
    assert sweep.complete
    assert sweep.missing_frames == 0


def test_stranger_among_the_transmitters_is_told_the_links():
    with pytest.raises(ConfigurationError, match="shapes10, shapes100"):
        sweep_of().hello(hello(peer="cifar10"))


def test_channel_that_knows_less_than_all_points_of_this_run_gets_the_table():
    sweep = sweep_of(fake_plan(snr_db=tuple(float(db) for db in range(40))))
    total = len(sweep.plan.points)
    for known in (hello("channel", "channel"), hello("channel", "channel", run="older", points=99)):
        tables = sweep.hello(known)
        assert all(isinstance(table, PointTable) for table in tables)
        assert [spec for table in tables for spec in table.points] == [
            point.spec for point in sweep.plan.points
        ]
    assert sweep.hello(hello("channel", "channel", run=sweep.plan.run, points=total)) == []


def test_receiver_is_asked_for_the_codecs_it_lacks_and_not_for_those_it_refused():
    sweep = sweep_of()
    asked = sweep.hello(hello("receiver", "receiver-1"))
    assert [type(message) for message in asked] == [LoadCodec, LoadCodec]
    first, second = asked
    refused = {"codec": first.codec, "digest": first.digest, "loaded": False, "detail": "damaged"}
    sweep.codec_report("receiver-1", CodecReport(**refused))
    left = sweep.hello(hello("receiver", "receiver-1", codecs=[second.digest]))
    assert left == []


def test_sweep_is_stuck_once_only_points_of_a_refused_codec_are_left():
    good, bad = fake_codec("good"), fake_codec("bad")
    sweep = sweep_of(fake_plan({LINK: fake_link(LINK, good, bad)}))
    sweep.hello(hello("receiver", "receiver-1", codecs=[good.digest]))
    refusal = CodecReport(codec="bad", digest=bad.digest, loaded=False, detail="damaged")
    sweep.codec_report("receiver-1", refusal)
    sweep.hello(hello())
    for point in sweep.plan.points_of(LINK):
        if sweep.plan.codec_at(LINK, point) == good:
            assert not sweep.stuck
            record_all(sweep, LINK, point)
    assert sweep.stuck
    assert not sweep.complete
    assert sweep.refused == {bad.digest: "damaged"}


def test_what_one_receiver_refuses_another_is_still_asked_for():
    sweep = sweep_of(fake_plan({LINK: fake_link(LINK, fake_codec("first"))}))
    (asked,) = sweep.hello(hello("receiver", "receiver-1"))
    sweep.hello(hello("receiver", "receiver-2"))  # is loading it
    refusal = CodecReport(codec=asked.codec, digest=asked.digest, loaded=False, detail="no room")
    sweep.codec_report("receiver-1", refusal)
    assert not sweep.stuck, "another may take it"
    assert sweep.hello(hello("receiver", "receiver-1")) == []
    assert sweep.hello(hello("receiver", "receiver-3")) == [asked]
    sweep.hello(hello("receiver", "receiver-2", codecs=[asked.digest]))
    assert not sweep.stuck
    assert any(isinstance(message, Assignment) for message in sweep.hello(hello()))
    for peer in ("receiver-2", "receiver-3"):
        sweep.receiver_gone(peer)
    assert sweep.stuck
    again = hello("receiver", "receiver-1").model_copy(update={"instance": "1" * 16})
    assert sweep.hello(again) == [asked], "a new life may find room"
    assert not sweep.stuck


def test_codec_of_a_receiver_that_is_gone_serves_nobody():
    sweep = with_receiver(sweep_of())
    sweep.receiver_gone("receiver-1")
    assert sweep.hello(hello()) == []


def test_spans_cover_exactly_the_frames():
    assert spans({5, 1, 2, 3, 9}) == [(1, 4), (5, 6), (9, 10)]
    assert spans(set()) == []


PAIR = ["shapes10", "shapes100"]


def pair_of(recorded=None):
    """A sweep of two links whose frames meet, and a receiver that has their codecs."""
    group = PlannedGroup(kind="superposition", links=PAIR, powers=[0.5, 0.5])
    plan = fake_plan(snr_db=tuple(float(db) for db in range(20)))
    return with_receiver(sweep_of(plan.model_copy(update={"groups": {"cell": group}}), recorded))


def test_channel_is_told_which_links_meet():
    sweep = pair_of()
    tables = sweep.hello(hello("channel", "channel"))
    assert all([group.name for group in table.groups] == ["cell"] for table in tables)
    (group,) = tables[0].groups
    assert (group.links, group.powers, group.window) == (PAIR, [0.5, 0.5], 8)


def test_each_link_of_a_group_is_told_its_place_and_the_lowest_point():
    sweep = pair_of()
    for user, link in enumerate(PAIR):
        messages = sweep.hello(hello(peer=link))
        assert points_of(messages) == list(range(GROUP_POINTS_AHEAD))
        assert {(m.user, m.lowest) for m in messages} == {(user, 0)}


def test_link_of_a_group_keeps_its_points_until_the_other_has_finished_them():
    first, second = PAIR
    sweep = pair_of()
    for link in PAIR:
        sweep.hello(hello(peer=link))
    for point in range(GROUP_POINTS_AHEAD):
        assert record_all(sweep, first, point) == []
    held = list(range(GROUP_POINTS_AHEAD))
    assert sweep.hello(hello(peer=first, busy=held)) == [], "it waits for the other one"
    more = record_all(sweep, second, 0)
    assert [(m.point, m.lowest) for m in more] == [(GROUP_POINTS_AHEAD, 1)]
    more = sweep.hello(hello(peer=first, busy=held))
    assert [(m.point, m.lowest) for m in more] == [(GROUP_POINTS_AHEAD, 1)]


def test_restarted_link_of_a_group_sends_what_the_other_one_lacks():
    first, second = PAIR
    sweep = pair_of({(0, first): {0, 1, 2}, (0, second): {1}})
    messages = sweep.hello(hello(peer=first))
    assert (messages[0].point, messages[0].frames) == (0, [(0, 1), (2, 3)])
    assert sweep.hello(hello(peer=second))[0].frames == [(0, 1), (2, 3)]


def test_links_of_a_group_are_told_of_the_same_frames_however_many_gaps_there_are():
    assert few_spans(range(0, 20, 2), 3) == [(0, 15), (16, 17), (18, 19)]
    assert few_spans([0, 1, 5, 6, 50], 2) == [(0, 7), (50, 51)]
    assert few_spans([0, 1, 5], 64) == spans([0, 1, 5])
