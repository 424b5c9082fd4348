"""Metrics come from one table; logs are one JSON object a line."""

from __future__ import annotations

import io
import json
import logging
import re

import pytest
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from semcom.durations import Durations
from semcom.metric_table import (
    MAX_LINKS,
    MAX_SERIES,
    METRICS,
    PROCESS_METRICS,
    ROLES,
    SECONDS_BUCKETS,
    SPEAKERS,
)
from semcom.telemetry import JsonLines, Telemetry, event, log_file


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
    # One codec a link, and its task's sums; see SweepCurves.
    bounded = {"codec", "digest", "channel", "snr_db", "task", "sum", "metric"}
    assert {label for metric in METRICS.values() for label in metric.labels} <= closed | bounded
    for name, metric in METRICS.items():
        if bounded & set(metric.labels):
            assert name in ("semcom_codec_info", "semcom_score_total", "semcom_sweep_metric")


def test_rows_name_roles_that_exist():
    for metric in (METRICS | PROCESS_METRICS).values():
        assert metric.roles
        assert set(metric.roles) <= set(ROLES)
        assert not metric.values or set(metric.roles) <= set(metric.values)


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


def test_durations_are_exported_as_by_the_client_library():
    """Byte for byte, also where a value lies on a bound, beyond all, or is removed."""
    buckets, registries = (0.001, 0.5, 2.5), (CollectorRegistry(), CollectorRegistry())
    ours = Durations("d_seconds", "Help.", ["stage"], registry=registries[0], buckets=buckets)
    theirs = Histogram("d_seconds", "Help.", ["stage"], registry=registries[1], buckets=buckets)
    for each in (ours, theirs):
        for stage, seconds in (("a", 0.5), ("a", 0.0), ("b", 7.25), ("c", 1.0), ("a", 0.25)):
            each.labels(stage).observe(seconds)
        each.remove("c")
        each.labels("shown")
    ours.labels("b").observe(1.5, times=3)
    for _ in range(3):
        theirs.labels("b").observe(1.5)
    assert generate_latest(registries[0]) == generate_latest(registries[1])


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


def series(telemetry: Telemetry) -> list[str]:
    scraped = generate_latest(telemetry.registry).decode()
    return [line for line in scraped.splitlines() if not line.startswith("#")]


def test_series_that_are_known_at_the_start_are_at_zero(telemetry):
    assert sample(telemetry, "semcom_messages_refused_total", reason="over_power") == 0
    assert sample(telemetry, "semcom_stage_seconds_count", stage="encode") == 0
    assert sample(telemetry, "semcom_stage_seconds_count", stage="decode") is None
    assert sample(telemetry, "semcom_frames_offered_total", link="cifar10") is None
    telemetry.begin(["cifar10"])
    assert sample(telemetry, "semcom_frames_offered_total", link="cifar10") == 0
    assert sample(telemetry, "semcom_round_trip_seconds_count", link="cifar10") == 0
    assert sample(telemetry, "semcom_snr_set_db", link="cifar10") is None


def test_first_word_of_a_link_shows_all_its_series():
    telemetry = Telemetry("receiver", "receiver-1")
    telemetry.count("semcom_frames_received_total", 1, "cifar10")
    assert sample(telemetry, "semcom_frames_duplicate_total", link="cifar10") == 0


@pytest.mark.parametrize("role", SPEAKERS)
def test_names_from_the_network_do_not_fill_the_memory(role):
    telemetry = Telemetry(role, role)
    for number in range(10_000):
        telemetry.count("semcom_frames_received_total", 1, f"link-{number}")
    others = sample(telemetry, "semcom_frames_received_total", link="other")
    assert others == 10_000 - MAX_LINKS
    links = {re.search(r'link="([^"]*)"', line) for line in series(telemetry)} - {None}
    assert len({match[1] for match in links}) == MAX_LINKS + 1
    if role != "transmitter":  # it has one link only: its own
        assert len(series(telemetry)) < MAX_SERIES


def test_only_one_of_many_is_shown(telemetry):
    telemetry.only("semcom_codec_info", "cifar10", "old", "0123")
    telemetry.only("semcom_codec_info", "cifar10", "new", "4567")
    shown = [line for line in series(telemetry) if line.startswith("semcom_codec_info")]
    assert shown == ['semcom_codec_info{codec="new",digest="4567",link="cifar10"} 1.0']
    telemetry.only("semcom_codec_info", "cifar10", "old", "0123")
    assert sample(telemetry, "semcom_codec_info", link="cifar10", codec="old", digest="0123") == 1


def test_gauge_that_is_followed_is_computed_at_every_scrape(telemetry):
    ages = iter((1.0, 2.5))
    telemetry.follow("semcom_heartbeat_age_seconds", lambda: next(ages), "channel")
    for age in (1.0, 2.5):
        assert sample(telemetry, "semcom_heartbeat_age_seconds", role="channel") == age


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
