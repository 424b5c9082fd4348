"""Image formats at capacity: bits, mosaics, the table and its command."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest
from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.reports.image_bound import (
    as_csv,
    bound_rows,
    capacity_bytes,
    mosaics,
    table_rows,
    tiles_of,
)
from semcom.errors import ConfigurationError
from semcom.shards import Shard


@pytest.fixture(scope="module")
def images(workplace) -> np.ndarray:
    return np.array(Shard(workplace / "data" / "shapes10", "test").items[:70])


def test_capacity_is_that_of_shannon_in_whole_bytes():
    sizes = [
        capacity_bytes(snr_db, symbols=512, users=1, images=1) for snr_db in (0, 5, 10, 15, 20)
    ]
    assert sizes == [64, 131, 221, 321, 426]
    assert capacity_bytes(0, symbols=512, users=2) == 32
    assert capacity_bytes(5, symbols=512, users=1, images=64) == 8427  # not 64 x 131


def test_mosaic_holds_its_images_where_they_were(images):
    whole = mosaics(images)
    assert whole.shape == (1, 256, 256, 3)
    np.testing.assert_array_equal(whole[0, 32:64, 64:96], images[10])
    np.testing.assert_array_equal(tiles_of(whole), images[:64])


def test_mosaics_and_frames_alone_are_better_and_more_bits_are(images):
    formats = [("single", "webp"), ("single", "vp8"), ("mosaic", "webp"), ("mosaic", "jpeg")]
    rows = list(bound_rows(images, formats, snrs_db=[5, 15], symbols=512, users=1))
    psnr = {(row.snr_db, row.arrangement, row.format): row.psnr_db for row in rows}
    for snr_db in (5, 15):
        assert psnr[snr_db, "single", "webp"] < psnr[snr_db, "single", "vp8"]
        assert psnr[snr_db, "mosaic", "jpeg"] < psnr[snr_db, "mosaic", "webp"]
    assert psnr[5, "mosaic", "webp"] > psnr[5, "single", "webp"]
    assert all(psnr[5, *key] < psnr[15, *key] for key in formats)
    assert [row.images for row in rows[:4]] == [70, 70, 64, 64]
    assert all(row.psnr_of_mean_db <= row.psnr_db + 1e-9 for row in rows), "of a convex function"


def test_what_does_not_fit_counts_as_the_mean_colour_and_is_told(images):
    (row,) = bound_rows(images, [("single", "jpeg")], snrs_db=[0], symbols=512, users=2)
    assert (row.bytes, row.fitting) == (32, 0.0)
    mean = np.rint(images.mean(axis=(0, 1, 2)))
    errors = np.square(images - mean).mean(axis=(1, 2, 3))
    assert row.psnr_db == pytest.approx((10 * np.log10(255**2 / errors)).mean(), abs=1e-6)
    head, cells = table_rows(csv.DictReader(io.StringIO(as_csv([row]))))
    assert head == ["arrangement", "format", "0 dB, 32 B"]
    assert cells == [["single", "jpeg", "does not fit"]]


def test_too_few_images_for_a_mosaic_are_told(images):
    with pytest.raises(ConfigurationError, match="a mosaic has 64 images, there are 63"):
        list(bound_rows(images[:63], [("mosaic", "webp")], snrs_db=[0], symbols=512, users=1))


def test_command_prints_the_table_and_writes_it(workplace, tmp_path):
    def run(*words: str):
        folder = str(workplace / "data")
        return CliRunner().invoke(app, ["bound", "images", "shapes10", *words, "--data", folder])

    out = tmp_path / "bound.csv"
    wanted = ("--images", "64", "--snr-db", "5,10", "--single", "vp8", "--mosaic", "webp")
    done = run(*wanted, "--out", str(out))
    assert done.exit_code == 0, done.output
    assert "10 dB, 221 B" in done.output
    rows = list(csv.DictReader(io.StringIO(out.read_text())))
    assert [row["format"] for row in rows] == ["vp8", "webp"] * 2
    assert rows[0]["library"].startswith("Pillow ")
    again = tmp_path / "again.csv"
    assert run(*wanted, "--out", str(again)).exit_code == 0
    assert again.read_bytes() == out.read_bytes()
    ranged = run("--images", "8", "--snr-db", "0:4:4", "--single", "webp", "--mosaic", "")
    assert "4 dB, 115 B" in ranged.output
    assert isinstance(run("--snr-db", "1e6").exception, ConfigurationError)
    unknown = run("--single", "bpg")
    assert isinstance(unknown.exception, ConfigurationError)
    assert "available: webp, vp8, jpeg, avif" in str(unknown.exception)
