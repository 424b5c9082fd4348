"""The training loop: what a step may do to the parameters."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import torch

from orchestrator.training.loop import Run, Training
from orchestrator.training.pipeline import Pipeline
from orchestrator.training.settings import StageSettings
from orchestrator.training.stop import StoppedError
from tests.orchestrator.training.harness import run_here, small_settings


def pipeline_in(folder: Path, data_dir: Path) -> tuple[Pipeline, Run]:
    run = run_here()
    return Pipeline(small_settings(data_dir, folder), run), run


def moved_by_a_step(folder: Path, data_dir: Path, limit: float | None) -> float:
    """How far one step of plain gradient descent, at rate 1, moves the teacher."""
    pipeline, run = pipeline_in(folder, data_dir)
    stage = pipeline._make_stage("teacher", None)
    before = {name: value.detach().clone() for name, value in stage.named_parameters()}
    Training(
        stage,
        pipeline.images,
        settings=StageSettings(
            epochs=1, batch=128, optimizer="sgd", momentum=0.0, lr=1.0, max_gradient_norm=limit
        ),
        augmentation=pipeline.settings.augmentation,
        artefact=pipeline._artefact("teacher"),
        run=run,
    ).run()
    after = {name: value.detach() for name, value in stage.named_parameters()}
    moved = [(after[name] - before[name]).square().sum() for name in after]
    return float(torch.stack(moved).sum().sqrt())


def test_gradients_are_kept_within_their_limit(data_dir: Path, tmp_path: Path) -> None:
    free = moved_by_a_step(tmp_path / "free", data_dir, None)
    assert free > 0.02
    kept = moved_by_a_step(tmp_path / "kept", data_dir, 0.01)
    assert kept == pytest.approx(0.01, rel=1e-3)
    assert moved_by_a_step(tmp_path / "far", data_dir, 2 * free) == free


def test_a_limit_is_part_of_what_a_stage_is_and_none_is_not(data_dir: Path, tmp_path: Path) -> None:
    pipeline, _ = pipeline_in(tmp_path, data_dir)
    assert "max_gradient_norm" not in pipeline._artefact("teacher").identity["schedule"]
    limited = pipeline.settings.stages["teacher"].model_copy(update={"max_gradient_norm": 1.0})
    stages = {**pipeline.settings.stages, "teacher": limited}
    pipeline.settings = pipeline.settings.model_copy(update={"stages": stages})
    assert pipeline._artefact("teacher").identity["schedule"]["max_gradient_norm"] == 1.0


def test_vectors_under_muon_take_a_tenth_of_the_rate(data_dir: Path, tmp_path: Path) -> None:
    pipeline, run = pipeline_in(tmp_path, data_dir)
    training = Training(
        pipeline._make_stage("teacher", None),
        pipeline.images,
        settings=StageSettings(epochs=1, optimizer="muon", lr=1.0),
        augmentation=pipeline.settings.augmentation,
        artefact=pipeline._artefact("teacher"),
        run=run,
    )
    training._set_learning_rate(0.5)
    rates = [group["lr"] for group in training._optimizer.param_groups]
    assert rates == [0.5, pytest.approx(0.05)]


def test_the_garbage_collector_is_as_it_was_after_a_training_that_was_stopped(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = run_here(stop_after=1)
    pipeline = Pipeline(small_settings(data_dir, tmp_path), run)
    training = Training(
        pipeline._make_stage("teacher", None),
        pipeline.images,
        settings=StageSettings(epochs=1, batch=128, lr=0.1),
        augmentation=pipeline.settings.augmentation,
        artefact=pipeline._artefact("teacher"),
        run=run,
    )
    passed_over: list[int] = []
    update = training._update

    def counting(batch: object) -> object:
        passed_over.append(gc.get_freeze_count())
        return update(batch)

    monkeypatch.setattr(training, "_update", counting)
    before = gc.get_freeze_count()
    with pytest.raises(StoppedError):
        training.run()
    assert min(passed_over) > before + 10_000
    assert gc.get_freeze_count() == 0
