"""Metrics come from one table; logs are one JSON object a line."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest
from prometheus_client import generate_latest

from semcom.telemetry import METRICS, SECONDS_BUCKETS, JsonLines, Telemetry, event, log_file


@pytest.fixture
def telemetry():
    return Telemetry("transmitter", "cifar10")


def sample(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    return telemetry.registry.get_sample_value(name, labels)


def test_names_are_in_base_units_under_one_prefix():
    for name, metric in METRICS.items():
        assert re.fullmatch(r"semcom_[a-z_]+", name)
        assert not re.search(r"_(ms|us|milliseconds|minutes|percent)$", name)
        assert name.endswith("_total") == (metric.kind == "counter")
        assert metric.kind != "histogram" or name.endswith("_seconds")
        assert metric.help


def test_labels_come_from_small_closed_sets():
    closed = {"link", "reason", "role", "stage", "result", "dataset", "term", "state"}
    assert {label for metric in METRICS.values() for label in metric.labels} <= closed


def test_histogram_has_few_rising_buckets():
    assert len(SECONDS_BUCKETS) <= 14
    assert list(SECONDS_BUCKETS) == sorted(set(SECONDS_BUCKETS))


def test_counter_adds_up_for_each_label_alone(telemetry):
    telemetry.count("semcom_frames_sent_total", 2, "cifar10")
    telemetry.count("semcom_frames_sent_total", 1, "cifar10")
    telemetry.count("semcom_frames_sent_total", 1, "cifar100")
    assert sample(telemetry, "semcom_frames_sent_total", link="cifar10") == 3
    assert sample(telemetry, "semcom_frames_sent_total", link="cifar100") == 1


def test_gauge_holds_the_last_value(telemetry):
    for value in (5, -7.5):
        telemetry.set("semcom_snr_set_db", value, "cifar10")
    assert sample(telemetry, "semcom_snr_set_db", link="cifar10") == -7.5


def test_metric_without_labels(telemetry):
    telemetry.set("semcom_sweep_frames_planned", 120)
    assert sample(telemetry, "semcom_sweep_frames_planned") == 120


def test_durations_fall_into_buckets_of_seconds(telemetry):
    for seconds in (0.0004, 0.03, 9.0):
        telemetry.observe("semcom_stage_seconds", seconds, "encode")
    name = "semcom_stage_seconds_bucket"
    assert sample(telemetry, name, stage="encode", le="0.0005") == 1
    assert sample(telemetry, name, stage="encode", le="0.02") == 1
    assert sample(telemetry, name, stage="encode", le="0.05") == 2
    assert sample(telemetry, name, stage="encode", le="5.0") == 2
    assert sample(telemetry, name, stage="encode", le="+Inf") == 3
    assert sample(telemetry, "semcom_stage_seconds_sum", stage="encode") == pytest.approx(9.0304)


def test_process_says_who_it_is(telemetry):
    assert sample(telemetry, "semcom_process_info", role="transmitter", peer="cifar10") == 1


def test_processes_do_not_share_their_numbers(telemetry):
    telemetry.count("semcom_frames_sent_total", 1, "cifar10")
    other = Telemetry("channel", "channel")
    assert sample(other, "semcom_frames_sent_total", link="cifar10") in (None, 0)


def test_every_metric_of_the_table_can_be_used_and_scraped(telemetry):
    for name, metric in METRICS.items():
        labels = ["x"] * len(metric.labels)
        use = {"counter": telemetry.count, "gauge": telemetry.set, "histogram": telemetry.observe}
        use[metric.kind](name, 1, *labels)
    scraped = generate_latest(telemetry.registry).decode()
    for name in METRICS:
        assert f"# TYPE {name} " in scraped


def test_use_outside_the_table_is_a_programming_error(telemetry):
    with pytest.raises(KeyError):
        telemetry.count("semcom_invented_total")
    with pytest.raises(AssertionError):
        telemetry.set("semcom_frames_sent_total", 1, "cifar10")
    with pytest.raises(ValueError, match="label"):
        telemetry.count("semcom_frames_sent_total", 1, "cifar10", "more")


@pytest.fixture
def logged():
    """A logger that writes JSON lines, and what it wrote."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    logger = logging.getLogger("tests.telemetry")
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    yield logger, stream
    logger.removeHandler(handler)
    logger.propagate = True


def test_event_is_one_json_line_with_its_fields(logged):
    logger, stream = logged
    event(logger, "codec\nloaded", codec="cifar10", images=3)
    text = stream.getvalue()
    assert text.count("\n") == 1
    line = json.loads(text)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "info",
        "logger": "tests.telemetry",
        "event": "codec\nloaded",
        "codec": "cifar10",
        "images": 3,
    }


def test_exception_stays_on_one_line_with_its_traceback(logged):
    logger, stream = logged
    try:
        raise RuntimeError("broken")
    except RuntimeError:
        logger.exception("internal error")
    line = json.loads(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    assert line["level"] == "error"
    assert "RuntimeError: broken" in line["traceback"]


def test_log_file_takes_events_meanwhile_and_no_longer(tmp_path):
    path = tmp_path / "log.jsonl"
    logger = logging.getLogger("tests.log_file")
    before = logging.getLogger().handlers[:]
    with log_file(path):
        event(logger, "inside")
    event(logger, "outside")
    assert [json.loads(line)["event"] for line in path.read_text().splitlines()] == ["inside"]
    assert logging.getLogger().handlers == before
