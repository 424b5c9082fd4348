"""Measures of a run: computed once, resumed, never mixed with those of other answers or weights."""

from __future__ import annotations

import csv
import hashlib
import shutil
import sqlite3
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import rkd_sc
from orchestrator.cli.main import app
from orchestrator.measures import measuring
from orchestrator.measures.kinds import LPIPS, MEASURES
from orchestrator.measures.measured_run import with_measures
from orchestrator.measures.measuring import measure_run
from orchestrator.measures.values import MeasuredValues
from orchestrator.measures.weights import (
    INCEPTION,
    LPIPS_ALEXNET,
    prepare_weights,
    weights_folder,
)
from orchestrator.reports.point_measures import point_measure_tables
from orchestrator.results.run_folder import LEDGER, read_run
from orchestrator.training import measuring_process
from orchestrator.training.measuring.frechet import FeatureNetwork
from orchestrator.training.measuring.lpips import Lpips, distances
from semcom.errors import AccountingError, ConfigurationError, StorageError
from semcom.shards import Shard
from tests.integration.harness import command
from tests.orchestrator.kept_runs import kept_images, kept_sentences
from tests.orchestrator.ledgers import fake_link, fake_plan, fill_ledger
from tests.orchestrator.measures.stand_ins import SameProcess, write_lpips

IMAGES = 7


@pytest.fixture
def jobs(monkeypatch):
    """Jobs that a measuring process would be asked for."""
    monkeypatch.setattr(measuring, "JobProcess", SameProcess)
    monkeypatch.setattr(SameProcess, "jobs", found := [])
    return found


@pytest.fixture
def place(tmp_path, jobs):
    """A folder with a run of two links, `run`, and its data sets and weights, `data`."""
    kept_images(tmp_path / "run", tmp_path / "data", links=("left", "right"))
    write_lpips(tmp_path / "data")
    return tmp_path


def values_of(run, link, point):
    found = MeasuredValues(run, LPIPS).read(link=link, point=point, count=IMAGES)
    assert found is not None
    return found


def test_each_image_is_compared_with_what_its_link_sent(place):
    measure_run(place / "run", ["lpips"], data=place / "data")
    images = Shard(place / "data" / "tiles", "test").images_NHWC
    network = Lpips.load(weights_folder(place / "data", LPIPS_ALEXNET))
    run = rkd_sc.load_run(place / "run")
    for link, offset in (("left", 0), ("right", 2)):
        for point in (0, 1):
            sent = np.roll(images, -offset, axis=0)
            wanted = distances(network, sent, run.answers(link, point))
            np.testing.assert_allclose(values_of(place / "run", link, point), wanted, rtol=1e-6)


def test_a_second_call_computes_nothing(place, jobs):
    measure_run(place / "run", ["lpips"], data=place / "data")
    assert len(jobs) == 4
    outcome = measure_run(place / "run", ["lpips"], data=place / "data")
    assert len(jobs) == 4
    assert outcome.replaced == []


def test_an_interrupted_one_resumes_with_the_points_that_are_missing(place, jobs, monkeypatch):
    whole = {}
    measure_run(place / "run", ["lpips"], data=place / "data")
    for link in ("left", "right"):
        whole |= {(link, point): values_of(place / "run", link, point) for point in (0, 1)}
    shutil.rmtree(place / "run" / "measures")

    def interrupted(name, done, of):
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        measure_run(place / "run", ["lpips"], data=place / "data", progress=interrupted)
    assert "lpips" not in {m.name for m in with_measures(read_run(place / "run")).summary.metrics}
    jobs.clear()
    measure_run(place / "run", ["lpips"], data=place / "data")
    assert len(jobs) == 1
    for (link, point), values in whole.items():
        np.testing.assert_array_equal(values_of(place / "run", link, point), values)


def test_other_weights_replace_all_values(place, jobs):
    measure_run(place / "run", ["lpips"], data=place / "data")
    before = values_of(place / "run", "left", 0)
    write_lpips(place / "data", seed=1)
    outcome = measure_run(place / "run", ["lpips"], data=place / "data")
    assert outcome.replaced == ["lpips"]
    assert len(jobs) == 8
    assert (values_of(place / "run", "left", 0) != before).all()


def test_measures_of_other_answers_are_refused_and_measured_again(place, jobs):
    measure_run(place / "run", ["lpips"], data=place / "data")
    kept_images(place / "other", place / "data", links=("left", "right"), snr_db=(0.0, 12.0))
    shutil.copytree(place / "run" / "measures", place / "other" / "measures")
    with pytest.raises(ConfigurationError, match="lpips belongs to other answers than this run's"):
        rkd_sc.load_run(place / "other")
    outcome = measure_run(place / "other", ["lpips"], data=place / "data")
    assert outcome.replaced == ["lpips"]
    assert "lpips" in rkd_sc.load_run(place / "other").results[0].values


def test_damaged_values_are_told(place):
    measure_run(place / "run", ["lpips"], data=place / "data")
    path = place / "run" / "measures" / "lpips" / "left" / "0.npy"
    for content in (b"nothing", path.read_bytes()[:-8]):
        path.write_bytes(content)
        with pytest.raises(StorageError, match=r"0\.npy is damaged .*: remove it and measure"):
            rkd_sc.load_run(place / "run")


def test_an_answer_that_was_altered_is_refused(place):
    path = place / "run" / "answers" / "left" / "0-1.bin"
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(AccountingError, match="holds an answer that differs from the recorded one"):
        measure_run(place / "run", ["lpips"], data=place / "data")


def test_a_run_without_kept_answers_is_told_how_to_get_them(place):
    shutil.rmtree(place / "run" / "answers")
    with pytest.raises(ConfigurationError, match="kept no answers: set keep_answers: true"):
        measure_run(place / "run", ["lpips"], data=place / "data")


def test_an_unfinished_run_is_told_to_be_finished(place):
    with sqlite3.connect(place / "run" / LEDGER) as ledger:
        ledger.execute("DELETE FROM frames WHERE point = 1 AND frame = 0")
    with pytest.raises(ConfigurationError, match="is not finished, and its answers may change"):
        measure_run(place / "run", ["lpips"], data=place / "data")


def test_what_does_not_fit_is_said_in_one_line(place):
    for name, words in (
        ("ms_ssim", "ms_ssim needs images of at least 161 pixels per side, these have 16x16"),
        ("fd_effnetlite0", "fd_effnetlite0 needs at least 2,000 items, this run has 7"),
        ("similarity", "similarity measures text, this run has reconstruction"),
        (
            "image_lpips",
            "image_lpips takes images in tiles, which the run's data sets are not; see --tiles of "
            "semcom data prepare",
        ),
        ("beauty", f"no measure 'beauty'; available: {', '.join(MEASURES)}"),
    ):
        with pytest.raises(ConfigurationError) as refused:
            measure_run(place / "run", [name], data=place / "data")
        assert str(refused.value) == words


def test_all_that_fit_are_measured_where_none_is_named(place):
    outcome = measure_run(place / "run", data=place / "data")
    assert [each.name for each in outcome.measures] == ["lpips"]
    assert set(outcome.left_out) == {"ms_ssim", "fd_effnetlite0"}


def test_a_run_of_classes_has_no_measure(tmp_path, jobs):
    fill_ledger(tmp_path, fake_plan({"link": fake_link("shapes10")}))
    with pytest.raises(ConfigurationError, match="no measure is of classification"):
        measure_run(tmp_path, data=tmp_path)


def test_another_data_set_is_refused(place):
    shutil.rmtree(place / "data" / "tiles")
    kept_images(place / "more", place / "data", images=9)
    with pytest.raises(ConfigurationError, match="is not the one of the run"):
        measure_run(place / "run", ["lpips"], data=place / "data")


def test_the_table_has_the_columns_of_the_results_and_those_of_the_measure(place):
    outcome = measure_run(place / "run", ["lpips"], data=place / "data")
    rows = list(csv.DictReader(outcome.table.read_text().splitlines()))
    assert [(row["link"], row["snr_db"]) for row in rows] == [
        ("left", "0"), ("left", "10"), ("right", "0"), ("right", "10"),
    ]  # fmt: skip
    for row, (link, point) in zip(rows, [("left", 0), ("left", 1), ("right", 0)], strict=False):
        mean = values_of(place / "run", link, point).mean()
        assert float(row["lpips"]) == pytest.approx(mean, abs=1e-6)
        assert float(row["lpips_ci95_low"]) < mean < float(row["lpips_ci95_high"])
        assert row["psnr"]


def test_python_gives_the_run_with_its_measures(place):
    run = rkd_sc.load_run(place / "run").measure("lpips", data=place / "data")
    assert [metric.name for metric in run.metrics] == ["psnr", "ssim", "mse", "lpips"]
    noisy, clear = (result.values["lpips"] for result in run.results[:2])
    assert noisy > clear > 0.0
    low, high = run.results[0].intervals["lpips"]
    assert low < noisy < high
    assert run.results_digest == read_run(place / "run").results_digest


def test_large_images_get_ms_ssim_without_weights(tmp_path, jobs):
    kept_images(tmp_path / "run", tmp_path / "data", side=161, images=3)
    outcome = measure_run(tmp_path / "run", ["ms_ssim"], data=tmp_path / "data")
    assert [job.weights for job in jobs] == [None, None]
    assert [each.name for each in outcome.measures] == ["ms_ssim"]
    noisy, clear = rkd_sc.load_run(tmp_path / "run").results
    assert 0.0 < noisy.values["ms_ssim"] < clear.values["ms_ssim"] < 1.0


def test_sentences_are_handed_over_as_texts(tmp_path, monkeypatch):
    pairs = []

    class Reads(SameProcess):
        def lines(self, job):
            pairs.append((job.sent.read_text(), job.received.read_text()))
            raise KeyboardInterrupt

    monkeypatch.setattr(measuring, "JobProcess", Reads)
    monkeypatch.setattr(measuring, "ready_weights", lambda *_: type("R", (), {"files": {}}))
    kept_sentences(tmp_path / "run", tmp_path / "data")
    with pytest.raises(KeyboardInterrupt):
        measure_run(tmp_path / "run", ["similarity"], data=tmp_path / "data")
    ((sent, received),) = pairs
    assert '"the bird sleeps on the tree"' in sent
    assert '"the bird sleeps on the"' in received


@pytest.mark.processes
def test_the_command_measures_in_a_process_of_its_own(tmp_path):
    kept_images(tmp_path / "run", tmp_path / "data", snr_db=(5.0,))
    write_lpips(tmp_path / "data")
    words = ("measure", "run", "--data", "data", "--threads", "1")
    code, printed = command(*words, cwd=tmp_path)
    assert code == 0, printed
    assert "measured: lpips" in printed
    assert "note: omitted: fd_effnetlite0 needs at least 2,000 items, this run has 7" in printed
    network = Lpips.load(weights_folder(tmp_path / "data", LPIPS_ALEXNET))
    sent = Shard(tmp_path / "data" / "tiles", "test").images_NHWC
    received = rkd_sc.load_run(tmp_path / "run").answers("left", 0)
    wanted = distances(network, sent, received)
    np.testing.assert_allclose(values_of(tmp_path / "run", "left", 0), wanted, rtol=1e-5)


@pytest.mark.processes
def test_the_command_says_in_one_line_what_is_wrong(tmp_path):
    kept_images(tmp_path / "run", tmp_path / "data", snr_db=(5.0,))
    shutil.rmtree(tmp_path / "run" / "answers")
    code, printed = command("measure", "run", "--data", "data", cwd=tmp_path)
    assert code == ConfigurationError.exit_code
    assert printed.strip() == (
        "error: run kept no answers: set keep_answers: true in its scenario and run it again"
    )


def test_fid_is_sealed_to_the_file_that_a_user_names(place, monkeypatch):
    monkeypatch.setitem(MEASURES, "fid", replace(MEASURES["fid"], least_items=1))
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(2), torch.nn.Flatten())
    features = FeatureNetwork(network, 16, 127.5, 127.5)
    monkeypatch.setattr(measuring_process, "inception_of", lambda _: features)
    run, data = place / "run", place / "data"
    with pytest.raises(ConfigurationError, match="inception: no package has these weights"):
        measure_run(run, ["fid"], data=data)
    assert "fid" not in {each.name for each in measure_run(run, data=data).measures}
    (place / "mine.pth").write_bytes(b"mine")
    prepare_weights(data, INCEPTION, place / "mine.pth")
    assert "fid" in {each.name for each in measure_run(run, data=data).measures}
    record = MeasuredValues(run, MEASURES["fid"]).record
    sha256 = hashlib.sha256(b"mine").hexdigest()
    assert record.weights == {INCEPTION.file: sha256}
    (table,) = point_measure_tables([read_run(run)])
    assert table.title == "FID"
    assert f"SHA-256 {sha256[:12]}..., not those of {INCEPTION.published}" in table.note
    noisy, clear = (float(row[1]) for row in table.rows)
    assert noisy > clear >= 0.0
    (place / "mine.pth").write_bytes(b"another")
    prepare_weights(data, INCEPTION, place / "mine.pth")
    assert measure_run(run, ["fid"], data=data).replaced == ["fid"]


def test_the_published_weights_of_fid_are_told_by_their_digest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.pth").write_bytes(b"mine")
    told = CliRunner().invoke(app, ["weights", "inception", "--from", "mine.pth"])
    assert told.exit_code == 0
    text = " ".join(told.stdout.split())
    assert "data/weights/inception: inception.weights of mine.pth" in text
    assert f"note: this is not {INCEPTION.published}" in text
    assert INCEPTION.is_published("6726825d" + 56 * "0")
