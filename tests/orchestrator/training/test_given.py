"""A codec that is there as teacher, and as what stage 2 starts from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from orchestrator.training import __main__ as command
from orchestrator.training.artefacts import read_tensors
from orchestrator.training.given import given_student
from orchestrator.training.pipeline import Pipeline
from orchestrator.training.settings import TrainingSettings
from orchestrator.training.stop import StoppedError
from semcom.checkpoints import open_checkpoint
from tests.orchestrator.training.harness import (
    Watcher,
    parameters,
    run_here,
    setting_words,
    small_settings,
    train,
    train_until,
)

SHAPES10 = Path(__file__).resolve().parents[3] / "codecs" / "shapes10"
TUNED = ("teacher", "stage1", "head", "stage2")
STEPS = 8  # of stage 2 in two epochs, or of a search on half of the images


def tuning(data_dir: Path, work_dir: Path, codec: Path = SHAPES10) -> TrainingSettings:
    """A job that tunes a codec to another ratio, following its own student."""
    return small_settings(
        data_dir,
        work_dir,
        start=codec,
        depths="preset",
        architecture={"channel": {"compression_ratio": 0.5}},
        teacher={"codec": codec},
    )


def copy_of(codec: Path, folder: Path) -> Path:
    """A codec's files in a folder of the test's own."""
    folder.mkdir()
    for file in codec.iterdir():
        (folder / file.name).write_bytes(file.read_bytes())
    return folder


def relabelled(codec: Path, folder: Path, change: dict[str, object]) -> Path:
    """A copy whose manifest says something else of the architecture."""
    copied = copy_of(codec, folder)
    manifest = json.loads((copied / "manifest.json").read_text())
    for path, value in change.items():
        *parents, last = path.split(".")
        inner = manifest["architecture"]
        for parent in parents:
            inner = inner[parent]
        inner[last] = value
    (copied / "manifest.json").write_text(json.dumps(manifest))
    return copied


def test_tuning_trains_stage_2_alone_and_starts_at_the_codecs_student(
    data_dir: Path, tmp_path: Path
) -> None:
    settings = tuning(data_dir, tmp_path)
    assert settings.architecture.encoder == open_checkpoint(SHAPES10).manifest.architecture.encoder
    run = run_here()
    pipeline = Pipeline(settings, run)
    trained = pipeline.train(lambda stage, ran: None)
    assert trained is not None
    assert isinstance(run.reporter, Watcher)
    assert run.reporter.steps == STEPS
    encoder, head = given_student(SHAPES10)
    stages = train_until(settings, "head").stages
    assert tuple(stages) == TUNED[:-1]
    for name, prefix, given in (("stage1", "encoder", encoder), ("head", "head", head)):
        kept = read_tensors(stages[name].weights_path)
        for key, value in given.state_dict().items():
            assert torch.equal(kept[f"{prefix}.{key}"], value), key
    moved = trained.link.transmitter.encoder.state_dict()["stem.conv1.weight"]
    change = (moved - encoder.state_dict()["stem.conv1.weight"]).abs().mean()
    assert 0 < change < 0.5 * moved.abs().mean()


def test_tuning_stopped_and_resumed_ends_with_the_same_bits(data_dir: Path, tmp_path: Path) -> None:
    whole, _ = train(tuning(data_dir, tmp_path / "whole"))
    settings = tuning(data_dir, tmp_path / "stopped")
    with pytest.raises(StoppedError):
        train(settings, stop_after=3)
    resumed, told = train(settings)
    assert told == [(name, name == "stage2") for name in TUNED]
    np.testing.assert_array_equal(parameters(resumed), parameters(whole))


def test_what_is_received_follows_the_students_own_feature(data_dir: Path, tmp_path: Path) -> None:
    pipeline = train_until(tuning(data_dir, tmp_path), "head")
    teacher = pipeline._teacher
    assert teacher is not None
    encoder, head = given_student(SHAPES10)
    images = torch.randn(4, 3, 32, 32)
    with torch.no_grad():
        features, logits = teacher.eval()(images)
        expected = encoder.eval()(images)
        torch.testing.assert_close(features, expected)
        torch.testing.assert_close(logits, head(expected))


def test_a_search_follows_a_codecs_student_and_trains_no_teacher(
    data_dir: Path, tmp_path: Path
) -> None:
    settings = small_settings(data_dir, tmp_path, teacher={"codec": SHAPES10})
    run = run_here()
    told: list[tuple[str, bool]] = []
    Pipeline(settings, run).train(lambda stage, ran: told.append((stage, ran)), until="search")
    assert told == [("teacher", True), ("search", True)]
    assert isinstance(run.reporter, Watcher)
    assert run.reporter.steps == STEPS // 2


def test_artefacts_go_by_the_codec_and_not_by_its_folder(data_dir: Path, tmp_path: Path) -> None:
    other = relabelled(SHAPES10, tmp_path / "other", {"encoder.input.mean": [0.5, 0.5, 0.5]})
    digests = [
        [
            made.digest
            for made in train_until(tuning(data_dir, tmp_path, codec), "head").stages.values()
        ]
        for codec in (SHAPES10, copy_of(SHAPES10, tmp_path / "copy"), other)
    ]
    assert digests[0] == digests[1]
    assert all(one != another for one, another in zip(digests[0], digests[2], strict=True))


def test_the_record_names_the_codecs_digest_where_one_was_taken(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["shapes10", "--preset", "smoke", "--name", "tuned", "--data", str(data_dir)]
    words += ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "codec")]
    words += setting_words(f"start={SHAPES10}", f"teacher.codec={SHAPES10}", "depths=preset")
    words += setting_words("images=128", "stages.stage2.epochs=1", "precision=fp32")
    assert command.main(words) == 0
    record = open_checkpoint(tmp_path / "codec").manifest.training
    digest = open_checkpoint(SHAPES10).digest
    assert [record["stages"][name].get("codec") for name in TUNED] == [digest] * 3 + [None]
    assert record["stages"]["stage2"]["epochs"] == 1
    assert record["teacher_accuracy"] > 0.5
    assert "teacher_parameters" not in record
    shown = capsys.readouterr().err.replace("\n", "")
    assert all(f"{name}: taken from {SHAPES10}" in shown for name in TUNED[:-1])
    assert "stage2: done" in shown


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["start=nowhere"], 6, "no such file: nowhere/manifest.json"),
        (["teacher.codec=nowhere"], 6, "no such file: nowhere/manifest.json"),
        (["teacher.codec=7"], 2, "teacher.codec"),
        (["start=SHAPES10"], 2, "start: stage 2 of rkd-sc starts from it"),  # smoke searches
        (["start=SHAPES10", "depths=darts"], 2, "start: stage 2 of rkd-sc"),
        (["teacher.codec=SHAPES10", "teacher.weights=x.pt"], 2, "weights: "),
        (["start=SHAPES10", "architecture.encoder.width=1"], 2, "architecture.encoder: start has"),
        (["teacher.codec=SHAPES10", "teacher.encoder.hidden=1"], 2, "teacher.encoder: teacher.cod"),
        (["start=DIRECT"], 2, "is of jscc-student; it takes one of rkd-sc"),
        (["teacher.codec=CLASSES"], 2, "tells 12 classes, the data set has 10"),
    ],
)
def test_a_codec_that_does_not_fit_is_one_line(
    words: list[str],
    code: int,
    told: str,
    data_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "SHAPES10").symlink_to(SHAPES10)
    relabelled(SHAPES10, tmp_path / "DIRECT", {"channel.system": "jscc-student"})
    relabelled(SHAPES10, tmp_path / "CLASSES", {"classes": 12})
    arguments = ["shapes10", "--preset", "smoke", "--data", str(data_dir), *setting_words(*words)]
    assert command.main(arguments) == code
    shown = capsys.readouterr().err
    assert told in shown.replace("\n", " ")
    assert len(shown.splitlines()) == 1
