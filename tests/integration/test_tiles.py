"""A large image in tiles over superposed links, by the commands: sent, verified, put together."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import rkd_sc
from semcom.shards import Shard
from semcom.tasks.reconstruction import mean_squared_errors, psnr_db
from tests.integration.harness import command

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]

SCENARIO = """
name: tiles
links:
  east: {dataset: large, codec: shapes10-noma}
  west: {dataset: large, codec: shapes10-noma}
groups:
  cell: {links: [east, west]}
snr_db: [10]
frame_images: 48
keep_answers: true
"""


def drawn(width: int, height: int) -> Image.Image:
    """Smooth colours and a disc."""
    y, x = np.mgrid[0:height, 0:width]
    image = np.stack([255 * x / width, 255 * y / height, 128 + 0 * x], axis=-1)
    image[(x - width / 3) ** 2 + (y - height / 2) ** 2 < (height / 4) ** 2] = (240, 60, 40)
    return Image.fromarray(image.astype(np.uint8))


def test_a_768_x_512_image_comes_back_whole(tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    drawn(768, 512).save(tmp_path / "photos" / "large.png")
    (tmp_path / "tiles.yaml").write_text(SCENARIO)

    def done(*words: str) -> str:
        code, printed = command(*words, cwd=tmp_path)
        assert code == 0, printed
        return printed

    made = done("data", "prepare", "large", "--from", "photos", "--tiles", "32")
    assert "1 test images in tiles of 32x32: 384 test tiles" in made
    done("sweep", "tiles.yaml", "--out", "runs/tiles", "--no-report")
    assert "768 items, each exactly once" in done("verify", "runs/tiles", "--data", "data")
    measured = done("measure", "runs/tiles", "image_psnr", "image_ms_ssim", "--threads", "1")
    assert "measured: image_psnr, image_ms_ssim" in measured

    shard, run = (
        Shard(tmp_path / "data" / "large", "test"),
        rkd_sc.load_run(tmp_path / "runs/tiles"),
    )
    (whole,) = shard.tiled
    sent = np.asarray(drawn(768, 512))
    np.testing.assert_array_equal(whole.joined(shard.images_NHWC), sent)
    rows = list(csv.DictReader((run.folder / "measures" / "results.csv").read_text().splitlines()))
    for row in rows:
        offset = run.plan.links[row["link"]].offset
        received = whole.joined(np.roll(run.answers(row["link"], 0), offset, axis=0))
        (wanted,) = psnr_db(mean_squared_errors(received[None], sent[None]))
        assert float(row["image_psnr"]) == pytest.approx(wanted, abs=1e-4)
        assert 0.5 < float(row["image_ms_ssim"]) < 1.0
        assert row["images"] == "384"
    assert [run.plan.links[row["link"]].offset for row in rows] == [0, 192]

    manifest = tmp_path / "data" / "large" / "dataset.json"
    content = json.loads(manifest.read_text())
    content["splits"]["test"]["tiled"] = [[1, 768, 512]]
    manifest.write_text(json.dumps(content))
    altered = done("verify", "runs/tiles", "--data", "data")
    assert "was altered: its content does not have the digest that it states" in altered
