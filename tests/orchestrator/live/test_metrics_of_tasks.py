"""A stream shows its codecs' main metrics; values of two metrics never share a curve."""

from __future__ import annotations

import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from orchestrator.live.status_view import view
from orchestrator.live.windows import metric_map
from semcom.tasks.classification import ACCURACY
from semcom.tasks.reconstruction import PSNR
from tests.orchestrator.ledgers import fake_codec
from tests.orchestrator.live.streaming import (
    CLASSES,
    LINK,
    OTHER,
    PICTURES,
    Channel,
    pictures_of,
    receiver_greets,
    record,
    result_of,
    status_of,
    stream_of,
    streaming,
    transmitter_greets,
)
from tests.properties import examples

PAINTER = fake_codec("painter")


def printed(stream):
    text = io.StringIO()
    console = Console(file=text, width=200, color_system=None, markup=False)
    console.print(view(status_of(stream)))
    return text.getvalue()


def changed_to_pictures():
    """A link that classified four frames and was then moved to a codec that reconstructs."""
    stream = stream_of()
    channel, told = streaming(stream)
    record(stream, told, 0, 1, 2, 3)
    stream.tick(1.5)
    stream.change_codec(LINK, PAINTER, PICTURES)
    receiver_greets(stream, told.codec_digest, PAINTER.digest)
    channel.tick(2.0)
    moved = transmitter_greets(stream, told)
    assert moved is not None
    return stream, told, moved


def paint(stream, told, *frames, psnr_db=28.0, now_s=3.0):
    results = [pictures_of(told, frame, psnr_db=psnr_db) for frame in frames]
    return stream.results(LINK, told.codec_digest, results, now_s=now_s)


def test_link_that_reconstructs_has_its_psnr_in_status_history_and_table():
    stream = stream_of(tasks={LINK: PICTURES})
    _, told = streaming(stream)
    assert paint(stream, told, 0, psnr_db=27.0, now_s=1.0) == 1
    assert paint(stream, told, 1, psnr_db=29.0, now_s=1.0) == 1
    stream.tick(1.5)
    (row,) = status_of(stream)["links"]
    assert row["metric"] == metric_map(PSNR)
    window = row["window"]
    assert (window["value"], window["images"]) == (28.0, 20)
    assert 27.0 < window["ci95_low"] < 28.0 < window["ci95_high"] < 29.0
    assert row["history"]["value"][-1] == 28.0
    assert "accuracy" not in json.dumps(row)
    lines = printed(stream).splitlines()
    assert any("PSNR" in line and "Accuracy" not in line for line in lines)
    assert re.search(r"28\.0 ± 0\.4 dB", printed(stream))


def test_table_names_the_metric_of_each_link_where_they_have_several():
    stream = stream_of(LINK, OTHER, tasks={OTHER: PICTURES})
    _, told = streaming(stream)
    transmitter_greets(stream, link=OTHER)
    record(stream, told, 0)
    text = printed(stream)
    assert re.search(r"Accuracy 10\.0 ± \d+\.\d %", text)
    assert re.search(r"p50, p99", text)
    assert [link["metric"]["name"] for link in status_of(stream)["links"]] == ["accuracy", "psnr"]


def test_change_to_a_codec_of_another_task_begins_a_window_and_a_history():
    stream, _, moved = changed_to_pictures()
    (before,) = status_of(stream)["links"]
    assert before["metric"] == metric_map(ACCURACY), "no frame came through the new codec yet"
    assert before["window"]["value"] == pytest.approx(4 / 35)
    assert len(before["history"]["value"]) >= 2
    assert paint(stream, moved, 4, 5) == 2
    stream.tick(3.5)
    (row,) = status_of(stream, 3.5)["links"]
    assert row["metric"] == metric_map(PSNR)
    assert (row["window"]["frames"], row["window"]["value"]) == (2, 28.0)
    assert row["history"]["value"] == [28.0]
    assert row["history"]["uptime_s"] == [3.5]
    assert row["recorded"] == 6, "counts go on"


def test_late_frame_of_the_task_before_is_counted_and_not_shown():
    stream, told, moved = changed_to_pictures()
    assert paint(stream, moved, 5) == 1
    assert record(stream, told, 4, now_s=3.0) == 1
    (row,) = status_of(stream, 3.0)["links"]
    assert (row["metric"]["name"], row["window"]["frames"], row["recorded"]) == ("psnr", 1, 6)


def test_codec_of_the_same_task_goes_on_in_the_same_window():
    stream = stream_of()
    channel, told = streaming(stream)
    record(stream, told, 0)
    stream.change_codec(LINK, PAINTER, type(CLASSES)(classes=100))
    receiver_greets(stream, told.codec_digest, PAINTER.digest)
    channel.tick(2.0)
    moved = transmitter_greets(stream, told)
    assert record(stream, moved, 1) == 1
    assert status_of(stream)["links"][0]["window"]["frames"] == 2


def test_change_that_is_taken_back_keeps_what_was_shown():
    stream, _, _ = changed_to_pictures()
    stream.failed(LINK, "cannot load")
    (row,) = status_of(stream)["links"]
    assert (row["metric"]["name"], row["window"]["frames"]) == ("accuracy", 4)


@examples(60)
@given(
    codecs=st.lists(st.booleans(), min_size=1, max_size=6),
    order=st.randoms(use_true_random=False),
)
def test_window_holds_frames_of_one_task_in_whatever_order_they_come(codecs, order):
    """Codecs of two tasks in turn, a frame each; answers overtake each other."""
    stream = stream_of()
    channel = Channel(stream)
    link = stream.links[LINK]
    classifier = link.codec
    receiver_greets(stream, classifier.digest, PAINTER.digest)
    stream.change_codec(LINK, PAINTER, PICTURES)
    link.codecs.change = None
    transmitter_greets(stream)
    results = []
    for frame, paints in enumerate(codecs):
        link.codecs.now = PAINTER if paints else classifier
        channel.tick(frame * 0.01)
        told = transmitter_greets(stream)
        made = pictures_of(told, frame, psnr_db=28.0) if paints else result_of(told, frame)
        results.append((told.codec_digest, made))
    newest = max(results, key=lambda each: each[1].point)
    order.shuffle(results)
    for codec, made in results:
        assert stream.results(LINK, codec, [made], now_s=1.0) == 1
        scores = {tuple(frame.score) for frame in link.window._frames}
        assert len(scores) == 1
        assert link.window.stats(1.0).value in (28.0, pytest.approx(0.1, abs=0.11))
    assert set(link.window._frames[-1].score) == set(
        (PICTURES if newest[0] == PAINTER.digest else CLASSES).SUMS
    )
    assert link.account.recorded == len(codecs)
