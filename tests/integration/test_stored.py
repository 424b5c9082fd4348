"""What earlier versions wrote: its digests are pinned, and it is verified, reported and resumed.

tests/stored/ was written on 2026-11-29, before digests had frozen lists of fields:

    plans/         plans of the shipped scenarios, as ledgers hold them
    training.json  identities of training stages, by preset, system, options and precision
    sweep/         a run through processes: ledger, manifest, results.csv
    interrupted/   the same run with 46 of its 72 frames missing
    evaluation/    the same scenario by `semcom evaluate` with another engine
    dataset/       a data set of ten images
    tiles/         three images in tiles, a manifest of format 4, of 2026-11-30
"""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import get_args

import pytest
from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.plan.plan import Plan
from orchestrator.results.run_folder import read_run
from orchestrator.results.verify import verify_run
from orchestrator.training.artefacts import Artefact
from orchestrator.training.presets import settings_from_preset
from orchestrator.training.settings import SYSTEM_STAGES, StageName
from orchestrator.training.stage_identity import stage_identity
from semcom.checkpoints import open_checkpoint
from semcom.shards import DatasetManifest, Shard, SplitManifest
from tests.conftest import REPO
from tests.integration.harness import Run, start_sweep

STORED = REPO / "tests" / "stored"
RESULTS = "f5107d23f74607754b4cd015394c04ebe66f4d8ea482236c8135258291a2450a"

TILES = "52cc871108ac6f8e2a2d3f19c26eefb327e5fa9adf9376785d9322c8cd72baf3"

PLANS = {
    "demo": "062a8b470a3de84020efb2fe3b90e2aa2f594acded5fa3d328475bf8f53d2f12",
    "cifar10": "34d6d6491eec43c655e925b79c9601b6e076069d4b22d939ce444c2981005fd5",
    "three-sets": "2ce6b8779aa2c2c3a440c283ec0346a86cfc4e403c10bf1c9ad8b892e0733f49",
}
CODECS = {
    "cifar10": "8d39b9e2b239c1f5e7303bfd9578e07a0c45ab3a0ad115ffd96332b8a9361776",
    "cifar100": "9525f226bb577bddc57762c2e83f021379131ddb9934131750a99e7e75d2f444",
    "europarl-teacher": "e9aea04f4ea6f404bfeb49fa0c534fc7f4088b6ad0b2663551293180d2a79469",
    "sentences-teacher": "8490f019e580501820219ac893a2fdc467d9e536c75c48caa4627028b9372aaa",
    "shapes10": "3e5d9a35217db654a0c4983afd22776570b198d5132f34c860d9360011f32071",
    "shapes10-noma": "b1c1ff37e6c1a7885fb824ab0e9b925f5efc23a5ffd7bc6ef5a7c937d9ca15e7",
    "shapes100": "1c5826437b0441ea027e76f53120326e6ef15d897942219b664731028b0546aa",
    "shapes200": "5119228185d10a3b1b8b12187e3f4c325b9232e5cb9afb7823d24e43a947bdbd",
    "tiny-imagenet": "ec690b0794e6f8200e0f973e9951d48c57cc972dd0905b27033cfd954569e35f",
}
OPTIONS = {
    "plain": {},
    "searched": {"depths": "search"},
    "options": {
        "distillation": {"channels": ["awgn", "rician"], "rician_k": 2.0, "whitening": 0.9},
        "search": {"warmup_epochs": 1, "images": 1000, "penalized": "weights"},
        "augmentation": {"views": 3},
        "images": 5000,
    },
}


@pytest.mark.parametrize("name", PLANS)
def test_plans_of_shipped_scenarios_keep_their_digests(name):
    plan = Plan.model_validate_json((STORED / "plans" / f"{name}.json").read_text())
    assert plan.digest == PLANS[name]


@pytest.mark.parametrize("name", CODECS)
def test_shipped_codecs_keep_their_digests(name):
    assert open_checkpoint(REPO / "codecs" / name).digest == CODECS[name]


class Images:
    """Training images, as far as an identity asks."""

    digest = "d" * 64

    def __init__(self, images: int | None) -> None:
        self._images = images or 50_000

    def __len__(self) -> int:
        return self._images


def test_training_stages_keep_their_identities():
    """So `semcom train` goes on with stages that an earlier version has finished."""
    stored = json.loads((STORED / "training.json").read_text())
    assert len(stored) > 300
    before = {
        stage: Artefact(Path("x"), hashlib.sha256(stage.encode()).hexdigest(), {})
        for stage in get_args(StageName)
    }
    for key, digest in stored.items():
        dataset, preset, system, options, stage, precision = key.split()
        settings = settings_from_preset(
            preset, manifest(dataset), name="x", system=system, overrides=OPTIONS[options]
        )
        made_of = stage_identity(
            stage,
            settings,
            images=Images(settings.images),
            before={name: before[name] for name in SYSTEM_STAGES[system]},
            given={},
            bf16=precision == "bf16",
        )
        text = json.dumps(made_of, sort_keys=True)
        assert hashlib.sha256(text.encode()).hexdigest()[:16] == digest, key


def manifest(dataset: str) -> DatasetManifest:
    classes = {"cifar10": 10, "shapes200": 200}[dataset]
    return DatasetManifest(
        name=dataset,
        image_size=32,
        classes=[str(index) for index in range(classes)],
        source="none",
        splits={"train": SplitManifest(images=50_000, sha256="a" * 64)},
    )


def test_stored_data_set_is_read():
    shard = Shard(STORED / "dataset", "train")
    assert (len(shard), shard.images_NHWC.shape) == (6, (6, 8, 8, 3))


def test_stored_data_set_in_tiles_is_read_and_has_its_digest():
    shard = Shard(STORED / "tiles", "test")
    assert shard.digest == shard.computed_digest() == TILES
    assert {(each.height, each.width) for each in shard.tiled} == {(12, 20), (16, 11)}
    assert [each.first for each in shard.tiled] == [0, 6, 10]
    assert len(shard) == 16


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A copy, since ledgers of that time are opened for writing."""
    return Path(shutil.copytree(STORED, tmp_path / "stored"))


@pytest.mark.parametrize("run", ["sweep", "evaluation"])
def test_stored_run_is_verified_and_reported(stored, run):
    assert verify_run(stored / run).results_digest == RESULTS
    assert read_run(stored / run).summary.incomplete == []
    reported = CliRunner().invoke(app, ["report", str(stored / run), "--markdown"])
    assert (reported.exit_code, "rician" in reported.stdout.lower()) == (0, True)


@pytest.mark.processes
@pytest.mark.timeout(900)
def test_stored_run_is_resumed_to_the_same_digest(stored, workplace):
    folder = stored / "interrupted"
    run: Run = start_sweep(stored / "scenario.yaml", folder, "--resume", workplace=workplace)
    run.finish()
    assert verify_run(folder).results_digest == RESULTS
