"""A small sweep over real CIFAR-10 images, from a local copy to the verified run."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from semcom.checkpoints import open_checkpoint
from semcom.shards import Shard
from tests.integration.harness import REPO, command, start_sweep, write_scenario

SAMPLES = REPO.parent / "shared" / "data"

pytestmark = [
    pytest.mark.processes,
    pytest.mark.timeout(900),
    pytest.mark.skipif(
        not (SAMPLES / "cifar10.tar.xz").exists(),
        reason=f"the samples of real images are not there: {SAMPLES.name}/cifar10.tar.xz",
    ),
]


@pytest.mark.parametrize(
    ("name", "classes", "size"),
    [("cifar10", 10, 32), ("cifar100", 100, 32), ("tiny-imagenet", 200, 64)],
)
def test_prepares_a_real_sample_from_a_local_copy(
    name: str, classes: int, size: int, tmp_path: Path
) -> None:
    code, printed = command(
        "data", "prepare", name, "--from", SAMPLES / f"{name}.tar.xz", cwd=tmp_path
    )
    assert code == 0, printed
    shard = Shard(tmp_path / "data" / name, "test")
    assert len(shard) == 1000
    assert len(shard.manifest.classes) == classes
    assert shard.manifest.image_size == size


def test_real_images_cross_the_link_and_are_recognised(workplace: Path, tmp_path: Path) -> None:
    code, printed = command(
        "data", "prepare", "cifar10", "--from", SAMPLES / "cifar10.tar.xz", cwd=tmp_path
    )
    assert code == 0, printed
    scenario = write_scenario(
        tmp_path / "s.yaml",
        links={"cifar10": {"dataset": "cifar10", "codec": "cifar10"}},
        snr_db=[-10, 25],
        images=500,
        frame_images=50,
    )
    folder = tmp_path / "run"
    options = ("--codecs", str(workplace / "codecs"))
    start_sweep(scenario, folder, *options, workplace=tmp_path).finish()
    assert command("verify", folder, cwd=tmp_path)[0] == 0
    with (folder / "results.csv").open() as file:
        rows = {(row["channel"], float(row["snr_db"])): row for row in csv.DictReader(file)}
    clean = open_checkpoint(workplace / "codecs" / "cifar10").manifest.results
    # 500 images: two standard errors of a share near 0.9 are 2.7 points.
    assert float(rows["awgn", 25.0]["accuracy"]) > clean["noise_free_accuracy"] - 0.04
    for channel in ("awgn", "rayleigh"):
        low, high = (float(rows[channel, snr_db]["accuracy"]) for snr_db in (-10.0, 25.0))
        assert low < high
