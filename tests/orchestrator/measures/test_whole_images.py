"""Metrics per whole image of a run whose items are tiles, beside those per tile."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

import rkd_sc
from orchestrator.measures import measuring
from orchestrator.measures.kinds import MEASURES
from orchestrator.measures.measured_run import with_measures
from orchestrator.measures.measuring import measure_run
from orchestrator.measures.values import MeasuredValues
from orchestrator.measures.weights import LPIPS_ALEXNET, weights_folder
from orchestrator.measures.whole_images import WholeImages
from orchestrator.reports.curves import metric_curves
from orchestrator.reports.picture_page import picture_page
from orchestrator.reports.received_pictures import galleries
from orchestrator.results.run_folder import read_run
from orchestrator.training.measuring.lpips import Lpips, distances
from orchestrator.training.measuring.ms_ssim import ms_ssim
from semcom.errors import ConfigurationError
from semcom.tasks.reconstruction import PSNR, SSIM, mean_squared_errors, psnr_db, ssim
from tests.orchestrator.kept_runs import kept_images, write_mosaics
from tests.orchestrator.measures.stand_ins import SameProcess, write_lpips

SIZES = ((40, 24), (24, 40), (40, 24), (16, 16))
LINKS = ("left", "right")


@pytest.fixture
def jobs(monkeypatch):
    monkeypatch.setattr(measuring, "JobProcess", SameProcess)
    monkeypatch.setattr(SameProcess, "jobs", found := [])
    return found


@pytest.fixture
def place(tmp_path, jobs):
    """A run of two links of a group, of which one begins with the third tile."""
    shard = write_mosaics(tmp_path / "data", *SIZES)
    run = tmp_path / "run"
    kept_images(
        run, tmp_path / "data", shard=shard, images=len(shard), links=LINKS, grouped=True,
        seeds=(0, 1),
    )  # fmt: skip
    write_lpips(tmp_path / "data")
    return tmp_path, shard


def put_together(place, link, point):
    """The images as they were sent and received, in the order of the data set."""
    folder, shard = place
    run = rkd_sc.load_run(folder / "run")
    received = np.roll(run.answers(link, point), run.plan.links[link].offset, axis=0)
    return [
        (each.joined(shard.images_NHWC[each.first : each.end]),
         each.joined(received[each.first : each.end]))
        for each in shard.tiled
    ]  # fmt: skip


def values_of(folder, name, link, point):
    found = MeasuredValues(folder / "run", MEASURES[name]).read(
        link=link, point=point, count=len(SIZES)
    )
    assert found is not None
    return found


def test_whole_images_are_compared_without_their_padding(place):
    folder, _ = place
    outcome = measure_run(folder / "run", data=folder / "data")
    names = [each.name for each in outcome.measures]
    assert names == ["lpips", "image_psnr", "image_ssim", "image_lpips"]
    assert outcome.left_out["image_ms_ssim"].startswith("image_ms_ssim needs images of at least")
    network = Lpips.load(weights_folder(folder / "data", LPIPS_ALEXNET))
    for link in LINKS:
        pairs = put_together(place, link, 1)
        wanted = {
            "image_psnr": [psnr_db(mean_squared_errors(r[None], s[None]))[0] for s, r in pairs],
            "image_ssim": [ssim(r[None], s[None])[0] for s, r in pairs],
            "image_lpips": [distances(network, s[None], r[None])[0] for s, r in pairs],
        }
        for name, values in wanted.items():
            found = values_of(folder, name, link, 1)
            np.testing.assert_allclose(found, values, rtol=1e-5)


def test_results_have_means_over_images_and_over_tiles(place):
    folder, shard = place
    run = rkd_sc.load_run(folder / "run").measure("image_psnr", data=folder / "data")
    for result in run.results:
        point = next(
            number
            for number, each in enumerate(run.plan.points)
            if (each.spec.snr_db, each.spec.seed) == (result.snr_db, result.seed)
        )
        found = values_of(folder, "image_psnr", result.link, point)
        assert result.score["image_psnr_images"] == len(SIZES)
        assert result.images == len(shard)
        assert result.values["image_psnr"] == pytest.approx(found.mean(), abs=1e-4)
        low, high = result.intervals["image_psnr"]
        half = 1.96 * found.std(ddof=1) / 2
        assert high - low == pytest.approx(2 * half, rel=1e-3)
    assert [metric.name for metric in run.metrics] == ["psnr", "ssim", "mse", "image_psnr"]


def test_seeds_are_pooled_image_by_image(place):
    folder, _ = place
    measure_run(folder / "run", ["image_psnr"], data=folder / "data")
    run = with_measures(read_run(folder / "run"))
    (left, right) = metric_curves([run], MEASURES["image_psnr"].metric)
    assert (left.seeds, right.seeds) == (2, 2)
    for curve in (left, right):
        for point, (low, high) in zip(curve.points, curve.intervals, strict=True):
            assert point.score["image_psnr_images"] == 2 * len(SIZES)
            assert low < curve.metric.value(point.score) < high


def test_the_table_has_columns_of_whole_images(place):
    folder, _ = place
    outcome = measure_run(folder / "run", ["image_psnr", "image_ssim"], data=folder / "data")
    rows = list(csv.DictReader(outcome.table.read_text().splitlines()))
    assert {row["sum_image_psnr_images"] for row in rows} == {"4"}
    assert all(float(row["image_ssim_ci95_low"]) <= float(row["image_ssim"]) for row in rows)


def test_the_record_tells_where_images_end(place):
    folder, shard = place
    measure_run(folder / "run", ["image_psnr"], data=folder / "data")
    record = json.loads((folder / "run" / "measures" / "image_psnr.json").read_text())
    assert record["images"]["left"] == [each.end - 1 for each in shard.tiled]
    ends = record["images"]["right"]  # which begins with the third tile
    assert len(shard) - 1 in ends  # the image that is cut in two ends with the last tile
    record["images"]["left"][0] = len(shard)
    (folder / "run" / "measures" / "image_psnr.json").write_text(json.dumps(record))
    with pytest.raises(ConfigurationError, match="the record of image_psnr names other tiles"):
        rkd_sc.load_run(folder / "run")


def test_large_images_get_ms_ssim(tmp_path, jobs):
    shard = write_mosaics(tmp_path / "data", (176, 161), side=32)
    kept_images(tmp_path / "run", tmp_path / "data", shard=shard, side=32, images=len(shard))
    measure_run(tmp_path / "run", ["image_ms_ssim"], data=tmp_path / "data")
    (pair,) = put_together((tmp_path, shard), "left", 0)
    stored = MeasuredValues(tmp_path / "run", MEASURES["image_ms_ssim"])
    found = stored.read(link="left", point=0, count=1)
    np.testing.assert_allclose(found, ms_ssim(pair[0][None], pair[1][None]))


def test_images_of_which_not_all_tiles_were_sent_are_left_out(tmp_path, jobs):
    shard = write_mosaics(tmp_path / "data", *SIZES)
    first, second = shard.tiled[:2]
    kept_images(tmp_path / "run", tmp_path / "data", shard=shard, images=second.end - 1)
    run = rkd_sc.load_run(tmp_path / "run").measure("image_psnr", data=tmp_path / "data")
    assert run.results[0].score["image_psnr_images"] == 1
    assert WholeImages(shard.tiled, run.plan.links["left"]).ends() == [first.end - 1]
    kept_images(tmp_path / "few", tmp_path / "data", shard=shard, images=first.end - 1)
    with pytest.raises(ConfigurationError) as refused:
        measure_run(tmp_path / "few", ["image_psnr"], data=tmp_path / "data")
    assert str(refused.value) == (
        "image_psnr takes whole images, but no link sends all tiles of one"
    )
    assert galleries(read_run(tmp_path / "few"), tmp_path / "data") == []


def test_pictures_show_whole_images_ranked_by_their_psnr(place):
    folder, _ = place
    measure_run(folder / "run", ["image_lpips"], data=folder / "data")
    (gallery,) = galleries(read_run(folder / "run"), folder / "data")
    assert (gallery.images, gallery.tile_side) == (len(SIZES), 16)
    snapshot = gallery.snapshots[1]
    pairs = {link: put_together(place, link, 1) for link in LINKS}
    psnr_SN = np.array(
        [[psnr_db(mean_squared_errors(r[None], s[None]))[0] for s, r in pairs[k]] for k in LINKS]
    )
    order = np.argsort(psnr_SN.mean(axis=0))
    assert [row.index for row in snapshot.rows] == [order[0], order[1], order[3]]
    for row in snapshot.rows:
        for number, link in enumerate(LINKS):
            sent, received = pairs[link][row.index]
            np.testing.assert_array_equal(row.sent, sent)
            np.testing.assert_array_equal(row.received[number].image, received)
            values = row.received[number].values
            assert [metric.name for metric in values] == ["psnr", "ssim", "lpips"]
            assert values[PSNR] == pytest.approx(psnr_SN[number, row.index])
            assert values[SSIM] == pytest.approx(ssim(received[None], sent[None])[0])
    page = picture_page([gallery])
    assert "4 images sent in tiles of 16 x 16 pixels" in page
    assert "of whole images" not in page
