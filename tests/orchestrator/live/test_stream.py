"""The stream's state machine: points follow the courses, and nothing is ever counted twice."""

from __future__ import annotations

import pytest

from orchestrator.live.link_rows import link_row
from orchestrator.live.requests import ChannelRequest
from orchestrator.live.stream_points import MAX_POINTS
from semcom.errors import ConfigurationError, ProtocolError
from semcom.messages import CodecReport, Hello, LoadCodec
from semcom.points import PluginChannel
from tests.orchestrator.ledgers import fake_codec
from tests.orchestrator.live.streaming import (
    CLASSES,
    LINK,
    OTHER,
    OTHER_INSTANCE,
    Channel,
    receiver_greets,
    record,
    result_of,
    stream_of,
    streaming,
    transmitter_greets,
)

NEW = fake_codec("second")


def test_nothing_streams_before_channel_and_receiver_are_ready():
    stream = stream_of()
    channel = Channel(stream)
    assert transmitter_greets(stream) is None
    channel.tick(0.0)
    assert transmitter_greets(stream) is None, "no receiver has the codec"
    assert [m.digest for m in receiver_greets(stream, "ab" * 32)] == [
        stream.links[LINK].codec.digest
    ]
    receiver_greets(stream)
    told = transmitter_greets(stream)
    assert told is not None
    assert (told.point, told.epoch, told.spec.snr_db, told.paused) == (0, 0, 10.0, False)


def test_transmitter_that_does_as_told_is_told_nothing():
    stream = stream_of()
    _, told = streaming(stream)
    assert transmitter_greets(stream, told) is None


def test_course_moves_the_link_once_the_channel_knows_the_new_point():
    stream = stream_of()
    channel, told = streaming(stream)
    transmitter_greets(stream, told)
    orders = stream.tick(10.0)
    assert [order.role for order in orders] == ["channel"]
    assert stream.moves() == [], "the channel has not said that it knows"
    channel.learn([order.message for order in orders])
    channel.greet()
    (move,) = stream.moves()
    assert (move.peer, move.message.point, move.message.epoch) == (LINK, 1, 0)
    assert move.message.spec.snr_db == 0.0
    assert stream.tick(11.0) == [], "the SNR is the same"


def test_course_moves_only_so_often():
    stream = stream_of(course={"kind": "ramp", "start": 0, "stop": 50, "period_s": 10})
    channel, told = streaming(stream)
    transmitter_greets(stream, told)
    for tick in range(1, 31):
        channel.tick(0.1 * tick)
    assert sorted(channel.points) == [0, 1, 2, 3]


def test_points_are_forgotten_once_no_frame_needs_them():
    stream = stream_of()
    channel, told = streaming(stream)
    for turn in range(1, 200):
        channel.tick(10.0 * turn)
        told = transmitter_greets(stream, told, oldest=told.point) or told
    assert told.point > 100
    assert len(channel.points) <= 4
    assert len(stream._points) <= 4


def test_frame_that_is_late_keeps_its_point():
    stream = stream_of()
    channel, told = streaming(stream)
    transmitter_greets(stream, told)
    moved = told
    for turn in range(1, 20):
        channel.tick(10.0 * turn)
        moved = transmitter_greets(stream, moved, oldest=told.point, unrecorded=1) or moved
    assert told.point in channel.points
    assert record(stream, told, 0) == 1


def test_frame_that_never_comes_cannot_fill_the_memory():
    stream = stream_of()
    channel, told = streaming(stream)
    first = told
    for turn in range(1, MAX_POINTS + 10):
        channel.tick(10.0 * turn)
        told = transmitter_greets(stream, told, oldest=told.epoch, offered=1, unrecorded=1) or told
    assert told.epoch > first.epoch, "what it held was given up"
    assert len(stream._points) <= MAX_POINTS + 2
    account = stream.links[LINK].account
    assert (account.lost, account.offered) == (1, 2)


def test_restarted_channel_gets_every_point_that_is_needed():
    stream = stream_of(LINK, OTHER)
    channel, told = streaming(stream)
    transmitter_greets(stream, link=OTHER)
    channel.tick(1.0)
    transmitter_greets(stream, told)
    channel.tick(10.0)
    restarted = Channel(stream)
    restarted.greet()
    assert restarted.points == channel.points
    assert restarted.greet() == []


def test_result_counts_once_and_shows_in_the_window():
    stream = stream_of()
    _, told = streaming(stream)
    transmitter_greets(stream, told, offered=4, unrecorded=4)
    assert record(stream, told, 0, 1, 2) == 3
    assert record(stream, told, 1, 3) == 1
    (row,) = stream.status(1.0, heard=[LINK])
    assert (row["recorded"], row["duplicates"], row["open"], row["state"]) == (
        4, 1, 0, "streaming",
    )  # fmt: skip
    assert row["window"]["images"] == 10 + 10 + 5 + 10
    assert row["window"]["value"] == pytest.approx(4 / 35)


@pytest.mark.parametrize(
    "changed",
    [
        {"point": 7},
        {"images": 9, "answer": bytes(18)},
        {"answer": bytes(18)},
        {"score": {"items": 10, "correct": 11}},
        {"score": {"items": 9, "correct": 1}},
        {"score": {"items": 10, "psnr": 1}},
    ],
)
def test_results_that_cannot_be_are_refused(changed):
    stream = stream_of()
    _, told = streaming(stream)
    with pytest.raises(ProtocolError):
        stream.results(LINK, told.codec_digest, [result_of(told, 0, **changed)], now_s=1.0)
    with pytest.raises(ProtocolError):
        stream.results(LINK, "ab" * 32, [result_of(told, 0)], now_s=1.0)
    assert stream.links[LINK].account.recorded == 0


def test_restarted_transmitter_begins_an_epoch_with_new_noise_and_what_it_had_is_lost():
    stream = stream_of()
    channel, told = streaming(stream)
    transmitter_greets(stream, told, offered=5, unrecorded=5)
    record(stream, told, 0, 1)
    assert transmitter_greets(stream, instance=OTHER_INSTANCE) is None
    channel.tick(1.0)
    again = transmitter_greets(stream, instance=OTHER_INSTANCE)
    assert again is not None
    assert again.epoch == again.point > told.point
    assert again.spec.seed != told.spec.seed
    account = stream.links[LINK].account
    assert (account.offered, account.recorded, account.lost) == (5, 2, 3)
    assert record(stream, told, 2) == 0, "counted as lost already"
    assert record(stream, again, 0) == 1


def test_silent_transmitter_needs_no_new_points():
    stream = stream_of()
    channel, told = streaming(stream)
    transmitter_greets(stream, told)
    stream.transmitter_gone(LINK)
    assert stream.tick(10.0) == []
    transmitter_greets(stream, told)
    channel.tick(20.0)
    channel.tick(30.0)
    assert len(channel.points) > 1


def test_channel_is_held_changed_and_follows_its_course_again():
    stream = stream_of()
    channel, told = streaming(stream)
    stream.set_channel(ChannelRequest(link=LINK, snr_db=-4.04, model="rayleigh"))
    channel.tick(1.0)
    held = transmitter_greets(stream, told)
    assert held is not None
    assert (held.spec.snr_db, held.spec.channel.model) == (-4.0, "rayleigh")
    channel.tick(10.0)
    assert transmitter_greets(stream, held) is None, "held, whatever the course says"
    stream.set_channel(ChannelRequest(link=LINK, course="resume"))
    channel.tick(11.0)
    followed = transmitter_greets(stream, held)
    assert followed is not None
    assert (followed.spec.snr_db, followed.spec.channel.model) == (0.0, "rayleigh")


def test_channel_is_changed_to_an_installed_model_and_its_settings():
    stream = stream_of()
    channel, told = streaming(stream)
    wanted = ChannelRequest(link=LINK, model="tdl", settings={"profile": "tdl-c"})
    stream.set_channel(wanted)
    channel.tick(1.0)
    held = transmitter_greets(stream, told)
    assert held is not None
    assert held.spec.channel == PluginChannel(model="tdl", settings={"profile": "tdl-c"})
    row = link_row(stream.links[LINK], 1.0, streaming=True, heard=True)
    assert (row["model"], row["channel"]) == ("tdl", "tdl profile=tdl-c")
    assert row["channel_settings"] == {"profile": "tdl-c"}
    with pytest.raises(ConfigurationError, match=f"{LINK}: channel.profile: must be one of"):
        stream.set_channel(ChannelRequest(link=LINK, settings={"profile": "none"}))
    stream.set_channel(ChannelRequest(link=LINK, settings={"delay_spread_ns": 50}))
    channel.tick(2.0)
    moved = transmitter_greets(stream, held)
    assert moved is not None
    assert moved.spec.channel.settings == {"profile": "tdl-c", "delay_spread_ns": 50.0}
    stream.set_channel(ChannelRequest(link=LINK, model="awgn"))
    row = link_row(stream.links[LINK], 1.0, streaming=True, heard=True)
    assert row["channel_settings"]["equalizer"] == "zero_forcing"


def test_pause_drains_and_resume_begins_an_epoch():
    stream = stream_of()
    channel, told = streaming(stream)
    transmitter_greets(stream, told, offered=2, unrecorded=2)
    (pause,) = stream.pause()
    assert pause.message.paused
    transmitter_greets(stream, pause.message, offered=2, unrecorded=2)
    assert not stream.drained
    record(stream, told, 0, 1)
    assert stream.drained
    stream.resume()
    channel.tick(5.0)
    again = transmitter_greets(stream)
    assert again is not None
    assert again.epoch > told.epoch
    assert not again.paused


def test_codec_changes_over_once_every_receiver_has_it():
    stream = stream_of()
    channel, told = streaming(stream)
    change, orders = stream.change_codec(LINK, NEW, CLASSES)
    assert [order.message for order in orders] == [LoadCodec(codec="second", digest=NEW.digest)]
    channel.tick(1.0)
    assert transmitter_greets(stream, told) is None, "the old one serves meanwhile"
    receiver_greets(stream, told.codec_digest, NEW.digest)
    channel.tick(2.0)
    moved = transmitter_greets(stream, told)
    assert moved is not None
    assert (moved.codec, moved.epoch) == ("second", told.epoch)
    assert record(stream, told, 0) == 1, "a frame of the old codec that was under way"
    assert change.outcome is None
    assert record(stream, moved, 1) == 1
    assert change.outcome == ""


def test_refused_codec_leaves_the_old_one_serving():
    stream = stream_of()
    channel, told = streaming(stream)
    change, _ = stream.change_codec(LINK, NEW, CLASSES)
    refusal = CodecReport(codec="second", digest=NEW.digest, loaded=False, detail="damaged")
    receiver_greets(stream, told.codec_digest, peer="receiver-2")
    for peer in ("receiver-1", "receiver-2"):
        channel.tick(1.0)
        assert change.outcome is None, "the others have not decided"
        stream.codec_report(peer, refusal)
    channel.tick(1.0)
    assert change.outcome == "damaged"
    assert transmitter_greets(stream, told) is None
    assert stream.links[LINK].codec.name != "second"


def test_codec_that_the_transmitter_cannot_use_is_taken_back():
    stream = stream_of()
    channel, told = streaming(stream)
    change, _ = stream.change_codec(LINK, NEW, CLASSES)
    receiver_greets(stream, told.codec_digest, NEW.digest)
    channel.tick(1.0)
    moved = transmitter_greets(stream, told)
    assert moved is not None
    stream.failed(LINK, "cannot load")
    assert change.outcome == "cannot load"
    channel.tick(2.0)
    back = transmitter_greets(stream, moved)
    assert back is not None
    assert back.codec == told.codec
    assert back.epoch > moved.epoch, "the transmitter may forget that it failed"
    stream.failed(LINK, "said once more, before it was told")
    record(stream, back, 0)
    assert stream.links[LINK].failure == ""


def test_second_change_of_a_codec_waits_for_the_first():
    stream = stream_of()
    stream.change_codec(LINK, NEW, CLASSES)
    with pytest.raises(ConfigurationError, match="is changing to second"):
        stream.change_codec(LINK, fake_codec("third"), CLASSES)


def test_stranger_and_unknown_link_are_refused():
    stream = stream_of()
    with pytest.raises(ConfigurationError, match="not a link"):
        stream.hello(Hello(role="transmitter", peer="nobody", instance=OTHER_INSTANCE))
    with pytest.raises(ConfigurationError, match="no link 'nobody'"):
        stream.set_channel(ChannelRequest(link="nobody", snr_db=1.0))


def test_class_that_the_codec_does_not_have_is_refused():
    stream = stream_of()
    _, told = streaming(stream)
    beyond = result_of(told, 0, answer=b"\x0a\x00" * 10)
    with pytest.raises(ProtocolError, match="class 10, its codec has 10 classes"):
        stream.results(LINK, told.codec_digest, [beyond], now_s=1.0)
    assert record(stream, told, 0) == 1
