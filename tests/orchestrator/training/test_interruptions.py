"""What ends a job before its time: signals between the steps, damage, and errors of our own."""

from __future__ import annotations

import signal
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from orchestrator.training import __main__ as command
from orchestrator.training import export, features, loop
from orchestrator.training.pipeline import Pipeline
from orchestrator.training.stop import StoppedError
from semcom.errors import CheckpointError, StorageError
from tests.orchestrator.training.harness import run_here, small_settings, train, train_until

WORDS = ("shapes10", "--preset", "smoke", "--name", "tiny", "--set", "images=64")


def run_command(data_dir: Path, folder: Path, *words: str) -> int:
    """The command in this process, on one stage where not told otherwise."""
    places = ["--data", str(data_dir), "--work", str(folder), "--out", str(folder / "codec")]
    return command.main([*WORDS, *places, *words])


def test_a_job_that_waits_for_another_says_so_and_can_be_stopped(
    data_dir: Path, tmp_path: Path
) -> None:
    settings, run = small_settings(data_dir, tmp_path), run_here()
    held = Pipeline(settings, run_here())._artefact("teacher").lock()
    assert held is not None

    def ask_when_it_waits() -> None:
        while not run.reporter.noted:  # type: ignore[attr-defined]
            time.sleep(0.01)
        run.stop.signal = signal.SIGTERM

    asking = threading.Thread(target=ask_when_it_waits)
    asking.start()
    with held, pytest.raises(StoppedError):
        Pipeline(settings, run).train(lambda stage, ran: None)
    asking.join()
    assert run.reporter.noted[0] == ("waiting", 0, 1)  # type: ignore[attr-defined]
    free = Pipeline(settings, run_here())._artefact("teacher").lock()
    assert free is not None
    free.release()


def test_a_stop_while_features_are_computed_ends_the_job_and_it_goes_on(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(features, "BATCH", 32)
    settings = small_settings(data_dir, tmp_path, distillation={"whitening": 0.99})

    def kept_when_stopped_after(images: int | None) -> list[str]:
        run = run_here()
        note = run.reporter.note

        def stop_there(what: str, done: int, total: int) -> None:
            note(what, done, total)
            if what == "features" and done == images:
                run.stop.signal = signal.SIGTERM

        run.reporter.note = stop_there  # type: ignore[method-assign]
        with nullcontext() if images is None else pytest.raises(StoppedError):
            Pipeline(settings, run).train(lambda stage, ran: None, until="search")
        assert run.reporter.noted[-1] == ("features", images or 384, 384)  # type: ignore[attr-defined]
        return sorted(
            path.name.partition("-")[0]
            for path in tmp_path.glob("artefacts/*/teacher-*/features/*")
        )

    assert kept_when_stopped_after(64) == []  # of 128 images to fit the whitening to
    assert kept_when_stopped_after(256) == ["view", "whitening"]
    assert kept_when_stopped_after(None) == ["view", "view", "whitening"]


def test_a_stop_while_the_codec_is_evaluated_leaves_its_stages(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, seen = export.evaluate_points, 0

    def evaluate_and_ask(*arguments: Any, **options: Any) -> Any:
        nonlocal seen
        for evaluation in real(*arguments, **options):
            seen += 1
            signal.raise_signal(signal.SIGTERM)
            yield evaluation

    with monkeypatch.context() as patch:
        patch.setattr(export, "evaluate_points", evaluate_and_ask)
        code = run_command(data_dir, tmp_path, "--system", "jscc-student")
    assert (code, seen) == (143, 1)
    assert not (tmp_path / "codec").exists()  # one that was there before would still be
    assert run_command(data_dir, tmp_path, "--system", "jscc-student") == 0


def test_damaged_saves_are_one_line_that_says_what_to_do(data_dir: Path, tmp_path: Path) -> None:
    settings = small_settings(data_dir, tmp_path)
    with pytest.raises(StoppedError):
        train(settings, stop_after=6)
    (saved,) = tmp_path.glob("artefacts/*/teacher-*/resume.pt")
    for content in (saved.read_bytes()[:5000], b"", b"nothing"):
        saved.write_bytes(content)
        with pytest.raises(CheckpointError, match="is damaged; remove it and run again"):
            train(settings)


def test_ranks_that_find_different_saves_are_refused(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "all_equal", lambda numbers, rank, device: False)
    with pytest.raises(CheckpointError, match="all hosts need the same work folder"):
        train(small_settings(data_dir, tmp_path))


def test_an_events_folder_that_cannot_be_is_one_line(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()
    (tmp_path / "tiny" / "events").touch()
    assert run_command(data_dir, tmp_path, "--until", "teacher") == StorageError.exit_code


def test_damaged_features_are_one_line_that_says_what_to_do(data_dir: Path, tmp_path: Path) -> None:
    settings = small_settings(data_dir, tmp_path, depths="preset")
    train_until(settings, "stage1")
    (view, _) = sorted(tmp_path.glob("artefacts/*/teacher-*/features/view-*"))
    view.write_bytes(view.read_bytes()[:5000])
    head = settings.stages["stage1"].model_copy(update={"lr": 1e-3})
    changed = settings.model_copy(update={"stages": {**settings.stages, "stage1": head}})
    with pytest.raises(CheckpointError, match="is damaged; remove it and run again"):
        train(changed)


def test_a_training_that_diverges_is_refused_and_leaves_nothing_to_be_taken_over(
    data_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = loop.Training._update

    def diverging(training: loop.Training, batch: Any) -> Any:
        terms = real(training, batch)
        next(training._stage.parameters()).data.fill_(float("inf"))
        return terms

    monkeypatch.setattr(loop.Training, "_update", diverging)
    assert run_command(data_dir, tmp_path, "--until", "teacher") == 2
    assert "stage teacher diverged in epoch 1: lower stages.teacher.lr" in _one_line(capsys)
    assert not list(tmp_path.glob("artefacts/*/*/weights.safetensors"))
    assert not list(tmp_path.glob("artefacts/*/*/resume.pt"))


def test_a_disk_that_is_full_for_the_progress_is_one_line_and_exit_code_7(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(data_dir, tmp_path, "--progress", "/dev/full", "--until", "teacher") == 7
    assert "cannot write /dev/full: No space left on device" in _one_line(capsys)


def _one_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().err.replace("\n", " ")


def test_an_error_of_our_own_ends_with_70_so_that_a_job_is_started_again(
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def broken(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(Pipeline, "train", broken)
    assert run_command(data_dir, tmp_path) == 70
    assert "RuntimeError: a bug" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("images", "until", "stage"), [(63, "teacher", "teacher"), (100, "search", "search")]
)
def test_fewer_images_than_a_step_takes_are_refused(
    images: int,
    until: str,
    stage: str,
    data_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("--set", f"images={images}", "--until", until)
    assert run_command(data_dir, tmp_path, *words) == 2
    assert f"stages.{stage}.batch: a step takes 64 images" in capsys.readouterr().err
    assert not list(tmp_path.glob("artefacts/*/*/weights.safetensors"))
