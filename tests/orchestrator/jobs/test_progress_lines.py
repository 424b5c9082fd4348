"""Lines of progress, read while they are written."""

from __future__ import annotations

import json
import math
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.jobs.progress_lines import (
    MAX_LINE_BYTES,
    MAX_READ_BYTES,
    Pace,
    ProgressLine,
    Tail,
)
from tests.properties import examples


def text(**changes: object) -> bytes:
    line = {
        "time": 100.0, "stage": "stage1", "epoch": 0, "epochs": 2, "step": 0, "steps": 10,
        "images_per_s": 283.1, "lr": 0.001, "losses": {"kd": 0.31}, "checkpoint_s": None,
    }  # fmt: skip
    return json.dumps(line | changes).encode() + b"\n"


def line(**changes: object) -> ProgressLine:
    return ProgressLine.model_validate_json(text(**changes))


def append(path: Path, content: bytes) -> None:
    with path.open("ab") as file:
        file.write(content)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "progress.jsonl"


def test_file_that_is_not_there_yet_has_no_lines(path):
    tail = Tail(path)
    assert tail.read() == []
    append(path, text())
    assert [found.stage for found in tail.read()] == ["stage1"]
    assert tail.read() == []


def test_partial_line_waits_for_its_rest(path):
    tail = Tail(path)
    append(path, text(step=1) + text(step=2)[:20])
    assert [found.step for found in tail.read()] == [1]
    append(path, text(step=2)[20:])
    assert [found.step for found in tail.read()] == [2]


@examples(40)
@given(st.lists(st.integers(1, 400), max_size=20), st.integers(0, 12))
def test_every_line_is_read_once_however_the_bytes_arrive(cuts, count):
    content = b"".join(text(step=step) for step in range(count))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "progress.jsonl"
        tail = Tail(path)
        found = []
        for cut in [*cuts, len(content)]:
            append(path, content[:cut])
            content = content[cut:]
            found += tail.read()
        append(path, content)
        found += tail.read()
    assert [one.step for one in found] == list(range(count))


@examples(40)
@given(st.binary(max_size=300))
def test_what_is_no_line_is_passed_over(garbage):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "progress.jsonl"
        path.write_bytes(garbage + b"\n" + text(step=7))
        assert [found.step for found in Tail(path).read()][-1:] == [7]


@pytest.mark.parametrize(
    "change",
    [{"steps": 0}, {"epoch": -1}, {"time": "x"}, {"losses": [1]}, {"stage": "s" * 65}],
)
def test_wrong_values_are_passed_over(path, change):
    append(path, text(**change) + text(step=3))
    assert [found.step for found in Tail(path).read()] == [3]


def test_loss_that_is_not_a_number_is_told(path):
    append(path, text(losses={"kd": math.nan}))
    assert math.isnan(Tail(path).read()[0].losses["kd"])


def test_truncated_file_is_read_again(path):
    tail = Tail(path)
    append(path, text(step=1) + text(step=2)[:9])
    tail.read()
    path.write_bytes(text(step=3))
    assert [found.step for found in tail.read()] == [3]


def test_replaced_file_is_read_again(path):
    tail = Tail(path)
    append(path, text(step=1))
    tail.read()
    other = path.with_name("other")
    other.write_bytes(text(step=2) + text(step=3))
    other.replace(path)
    assert [found.step for found in tail.read()] == [2, 3]


def test_of_a_long_file_the_end_is_read(path):
    long = text(step=1) * (2 * MAX_READ_BYTES // len(text(step=1)))
    append(path, long + text(step=9))
    found = Tail(path).read()
    assert found[-1].step == 9
    assert 1 < len(found) <= MAX_READ_BYTES // len(text())


def test_endless_line_is_dropped_to_its_end(path):
    tail = Tail(path)
    for _ in range(4):
        append(path, b"x" * MAX_LINE_BYTES)
        assert tail.read() == []
    append(path, b"x\n" + text(step=5))
    assert [found.step for found in tail.read()] == [5]


def test_ratio_counts_whole_epochs_and_steps():
    assert line(epoch=0, step=0).ratio == 0
    assert line(epoch=1, step=5).ratio == 0.75
    assert line(epoch=1, step=10).ratio == 1
    assert line(epoch=9, step=10).ratio == 1


def test_epoch_under_way_is_counted_from_one():
    assert [line(epoch=epoch).epoch_under_way for epoch in (0, 1, 2)] == [1, 2, 2]


def test_remaining_time_follows_the_pace():
    pace = Pace()
    assert pace.remaining_s is None
    pace.add(line(time=100.0, step=0))
    assert pace.remaining_s is None
    pace.add(line(time=110.0, step=5))
    assert pace.remaining_s == pytest.approx(30.0)


@pytest.mark.parametrize(
    "change", [{"stage": "stage2"}, {"step": 3}, {"time": 90.0, "step": 6}], ids=str
)
def test_pace_begins_again_where_lines_do_not_continue(change):
    pace = Pace()
    pace.add(line(time=100.0, step=0))
    pace.add(line(time=110.0, step=5))
    pace.add(line(**{"time": 120.0, "step": 5} | change))
    assert pace.remaining_s is None


def test_line_without_speed_keeps_the_last_one():
    pace = Pace()
    pace.add(line(images_per_s=50.0))
    pace.add(line(images_per_s=0.0))
    assert pace.images_per_s == 50.0
