from __future__ import annotations

import csv
import io
import sqlite3
from statistics import median

import numpy as np
import pytest

from orchestrator.results.ledger import Ledger
from orchestrator.results.run_folder import open_ledger, read_run
from orchestrator.results.summary import format_results_csv, summarize, write_results_csv
from semcom.errors import AccountingError, ConfigurationError, StorageError
from semcom.statistics import wilson_interval
from semcom.tasks.classification import ACCURACY
from tests.orchestrator.ledgers import fake_codec, fake_link, fake_plan, fake_result, fill_ledger

COLUMNS = (
    "link,dataset,system,channel,snr_db,seed,images,correct,accuracy,ci95_low,ci95_high,"
    "round_trip_p50_ms,round_trip_p99_ms,encode_ms,channel_ms,decode_ms,retransmissions,codec"
)


def summary_of(folder):
    return read_run(folder).summary


def csv_rows(content: bytes):
    return list(csv.DictReader(io.StringIO(content.decode())))


def test_every_link_has_a_row_at_each_of_its_points(tmp_path):
    plan = fake_plan()
    summary = summary_of(fill_ledger(tmp_path, plan))
    assert [(p.link, p.channel, p.snr_db) for p in summary.points] == [
        (link, channel, snr_db)
        for link in ("shapes10", "shapes100")
        for channel in ("awgn", "rayleigh")
        for snr_db in (-5.0, 2.5, 10.0)
    ]
    assert summary.incomplete == []


def test_accuracy_is_the_share_of_all_images_with_its_wilson_interval(tmp_path):
    plan = fake_plan()
    correct = {("shapes10", 0, frame): {"correct": frame} for frame in range(3)}
    point = summary_of(fill_ledger(tmp_path, plan, changes=correct)).points[0]
    assert (point.images, point.score) == (250, {"items": 250, "correct": 3})
    (metric,) = point.task.METRICS
    assert metric.value(point.score) == 3 / 250
    assert metric.interval(point.score) == wilson_interval(3, 250)


def test_stage_times_are_medians_and_round_trips_percentiles_over_frames(tmp_path):
    plan = fake_plan()
    frames = [fake_result(plan, "shapes10", 0, frame) for frame in range(3)]
    round_trips_ms = [frame.round_trip_ms for frame in frames]
    point = summary_of(fill_ledger(tmp_path, plan)).points[0]
    assert point.encode_ms == median(frame.encode_ms for frame in frames)
    assert point.channel_ms == median(frame.channel_ms for frame in frames)
    assert point.decode_ms == median(frame.decode_ms for frame in frames)
    assert point.round_trip_p50_ms == np.percentile(round_trips_ms, 50)
    assert point.round_trip_p99_ms == np.percentile(round_trips_ms, 99)


def test_every_attempt_after_the_first_is_a_retransmission(tmp_path):
    changes = {("shapes10", 0, 0): {"attempts": 3}, ("shapes10", 0, 2): {"attempts": 2}}
    summary = summary_of(fill_ledger(tmp_path, fake_plan(), changes=changes))
    assert [point.retransmissions for point in summary.points[:2]] == [3, 0]
    assert [latency.retransmissions for latency in summary.latencies] == [3, 0]


def test_an_incomplete_point_has_no_row_and_is_listed_with_its_progress(tmp_path):
    skip = {("shapes10", 1, 0), *(("shapes100", 4, frame) for frame in range(3))}
    summary = summary_of(fill_ledger(tmp_path, fake_plan(), skip=skip))
    assert summary.incomplete == [("shapes10", 1, 2, 3), ("shapes100", 4, 0, 3)]
    assert len(summary.points) == 10
    assert not any(p.link == "shapes10" and p.snr_db == 2.5 for p in summary.points[:2])


def test_each_point_names_the_codec_and_system_it_was_planned_with(tmp_path):
    codecs = fake_codec("student", "rkd-sc"), fake_codec("plain", "jscc-student")
    plan = fake_plan({"a": fake_link("shapes10", *codecs), "b": fake_link("shapes100")})
    summary = summary_of(fill_ledger(tmp_path, plan))
    assert [(p.codec, p.system) for p in summary.points if p.link == "a"] == (
        [("student", "rkd-sc")] * 6 + [("plain", "jscc-student")] * 6
    )
    assert sum(point.link == "b" for point in summary.points) == 6
    assert [(latency.link, latency.codec) for latency in summary.latencies] == [
        ("a", "student"),
        ("a", "plain"),
        ("b", "shapes100-rkd-sc"),
    ]


def test_network_time_is_what_the_stages_leave_of_the_round_trip(tmp_path):
    latency = summary_of(fill_ledger(tmp_path, fake_plan())).latencies[0]
    stages_ms = latency.channel_ms + latency.batch_wait_ms + latency.decode_ms
    assert latency.network_ms == pytest.approx(latency.round_trip_p50_ms - stages_ms)
    assert latency.network_ms > 0


def test_results_csv_has_the_documented_columns_and_reads_back(tmp_path):
    summary = summary_of(fill_ledger(tmp_path, fake_plan()))
    write_results_csv(tmp_path / "results.csv", summary)
    content = (tmp_path / "results.csv").read_bytes()
    assert content.decode().splitlines()[0] == COLUMNS
    rows = csv_rows(content)
    assert len(rows) == 12
    assert rows[1]["snr_db"] == "2.5"
    assert [float(row["accuracy"]) for row in rows] == pytest.approx(
        [ACCURACY.value(point.score) for point in summary.points], abs=1e-6
    )


def test_results_csv_does_not_depend_on_the_order_of_recording(tmp_path):
    plan = fake_plan()
    fill_ledger(tmp_path / "forward", plan)
    ledger = Ledger(tmp_path / "backward.sqlite", plan)
    for link in reversed(list(plan.links)):
        for point in reversed(plan.points_of(link)):
            results = [fake_result(plan, link, point, frame) for frame in (2, 0, 1)]
            ledger.record(link, plan.codec_at(link, point).digest, results)
    backward = format_results_csv(summarize(ledger))
    ledger.close()
    assert backward == format_results_csv(summary_of(tmp_path / "forward"))


def test_refuses_a_ledger_with_a_point_that_was_never_planned(tmp_path):
    fill_ledger(tmp_path, fake_plan())
    with sqlite3.connect(tmp_path / "ledger.sqlite") as database:
        database.execute("UPDATE frames SET point=99 WHERE point=0 AND link='shapes10'")
    with pytest.raises(AccountingError, match="point 99 on link shapes10 was never planned"):
        summary_of(tmp_path)


def test_a_folder_without_a_ledger_is_no_run(tmp_path):
    with pytest.raises(ConfigurationError, match="no ledger"):
        read_run(tmp_path)


def test_a_damaged_ledger_is_reported_as_such(tmp_path):
    (tmp_path / "ledger.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError, match=r"ledger\.sqlite"), open_ledger(tmp_path):
        pass


def test_a_csv_that_cannot_be_written_is_a_storage_error(tmp_path):
    summary = summary_of(fill_ledger(tmp_path, fake_plan()))
    with pytest.raises(StorageError, match="cannot write"):
        write_results_csv(tmp_path / "absent" / "results.csv", summary)
