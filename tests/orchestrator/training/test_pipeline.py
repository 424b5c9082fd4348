"""The training pipeline on a handful of drawn images: stages, artefacts, resume, export."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from orchestrator.datasets.prepare import prepare
from orchestrator.training import __main__ as command
from orchestrator.training import distill, loop
from orchestrator.training.presets import settings_from_preset
from orchestrator.training.settings import STAGES, StageName, TrainingSettings
from semcom.checkpoints import open_checkpoint
from semcom.errors import ConfigurationError
from semcom.shards import read_manifest

SHORT = {name: {"epochs": 2, "batch": 32} for name in STAGES}


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    prepare("shapes10", root=folder / "shapes10", source=None, train_images=128, test_images=50)
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> object:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def settings(data_dir: Path, work_dir: Path) -> TrainingSettings:
    manifest = read_manifest(data_dir / "shapes10")
    overrides = {"data_dir": data_dir, "work_dir": work_dir, "stages": SHORT}
    return settings_from_preset("smoke", manifest, name="tiny", overrides=overrides)


def run(data_dir: Path, work_dir: Path) -> tuple[distill.Job, list[tuple[StageName, bool]]]:
    job = distill.make_job(settings(data_dir, work_dir), bf16=False)
    seen: list[tuple[StageName, bool]] = []
    distill.run_stages(job, lambda stage, was_run: seen.append((stage, was_run)))
    return job, seen


def parameters(job: distill.Job) -> np.ndarray:
    return np.concatenate([p.detach().numpy().ravel() for p in job.link.parameters()])


def test_stages_run_in_order_once_and_are_taken_over_by_the_next_run(
    data_dir: Path, tmp_path: Path
) -> None:
    first, seen = run(data_dir, tmp_path)
    assert seen == [(stage, True) for stage in STAGES]
    again, seen = run(data_dir, tmp_path)
    assert seen == [(stage, False) for stage in STAGES]
    np.testing.assert_array_equal(parameters(first), parameters(again))


def test_a_run_stopped_between_two_epochs_resumes_to_the_same_weights(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, _ = run(data_dir, tmp_path / "whole")
    save = loop._save
    saved: list[int] = []

    def save_then_stop(*arguments: object) -> None:
        save(*arguments)  # type: ignore[arg-type]
        saved.append(1)
        if len(saved) == 7:  # teacher 2, stage 1 2, head 2, stage 2 after its first epoch
            raise KeyboardInterrupt

    monkeypatch.setattr(loop, "_save", save_then_stop)
    with pytest.raises(KeyboardInterrupt):
        run(data_dir, tmp_path / "stopped")
    monkeypatch.setattr(loop, "_save", save)
    resumed, seen = run(data_dir, tmp_path / "stopped")
    assert seen == [("teacher", False), ("stage1", False), ("head", False), ("stage2", True)]
    np.testing.assert_array_equal(parameters(whole), parameters(resumed))


def test_changing_a_stage_reruns_it_and_what_follows(data_dir: Path, tmp_path: Path) -> None:
    run(data_dir, tmp_path)
    changed = settings(data_dir, tmp_path)
    stages = {**changed.stages, "head": changed.stages["head"].model_copy(update={"lr": 1e-3})}
    job = distill.make_job(changed.model_copy(update={"stages": stages}), bf16=False)
    seen: list[tuple[StageName, bool]] = []
    distill.run_stages(job, lambda stage, was_run: seen.append((stage, was_run)))
    assert seen == [("teacher", False), ("stage1", False), ("head", True), ("stage2", True)]


def test_command_trains_exports_and_records_what_it_did(data_dir: Path, tmp_path: Path) -> None:
    arguments = ["shapes10", "--preset", "smoke", "--name", "tiny", "--data", str(data_dir)]
    arguments += ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "codec")]
    arguments += ["--set", "stages.teacher.epochs=4", "--set", "precision=fp32"]
    assert command.main(arguments) == 0
    checkpoint = open_checkpoint(tmp_path / "codec")
    checkpoint.verify()
    assert checkpoint.manifest.results["test_images"] == 50
    assert checkpoint.manifest.training["stages"]["teacher"]["epochs"] == 4
    assert checkpoint.manifest.training["training_images"] == 128
    lines = (tmp_path / "work" / "tiny" / "progress.jsonl").read_text().splitlines()
    losses = [json.loads(line)["task"] for line in lines if "teacher" in line]
    assert losses[-1] < losses[0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "data prepare nothing"),
        (["shapes10", "--preset", "huge"], "compact"),
        (["shapes10", "--set", "stages.stage1.epoch=3"], "stages.stage1.epoch"),
        (["shapes10", "--set", "seed"], "KEY=VALUE"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(
    arguments: list[str], words: str, data_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main([*arguments, "--data", str(data_dir)]) == 2
    assert words in capsys.readouterr().err.replace("\n", " ")


def test_unknown_preset_names_those_there(data_dir: Path) -> None:
    manifest = read_manifest(data_dir / "shapes10")
    with pytest.raises(ConfigurationError, match="compact, embedded, smoke"):
        settings_from_preset("none", manifest, name="x", overrides={})
