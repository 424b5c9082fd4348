"""A codec that is there as teacher, and as what stage 2 starts from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orchestrator.training import __main__ as command
from orchestrator.training.artefacts import read_tensors
from orchestrator.training.export import export_codec
from orchestrator.training.given_codecs import given_codecs, given_student
from orchestrator.training.pipeline import Pipeline
from orchestrator.training.presets import settings_from_preset
from orchestrator.training.settings import TrainingSettings
from orchestrator.training.stop import StoppedError
from semcom.checkpoints import open_checkpoint
from semcom.errors import ConfigurationError
from semcom.shards import read_manifest
from tests.orchestrator.training.harness import (
    SHAPES10,
    Watcher,
    copy_of,
    parameters,
    relabelled,
    run_here,
    setting_words,
    small_settings,
    train,
    train_until,
)

TUNED = ("teacher", "stage1", "head", "stage2")
STEPS = 8  # of stage 2 in two epochs, or of a search on half of the images


def tuning(data_dir: Path, work_dir: Path, codec: Path = SHAPES10) -> TrainingSettings:
    """A job that tunes a codec to another ratio, following its own student."""
    return small_settings(
        data_dir,
        work_dir,
        init_from=codec,
        depths="preset",
        architecture={"channel": {"compression_ratio": 0.5}},
        teacher={},
    )


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
    encoder, head = given_student(open_checkpoint(SHAPES10))
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
    teacher = pipeline._teaching.teacher
    assert teacher is not None
    encoder, head = given_student(open_checkpoint(SHAPES10))
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
    words += setting_words(f"init_from={SHAPES10}", "depths=preset")
    words += setting_words("images=128", "stages.stage2.epochs=1", "precision=fp32")
    assert command.main(words) == 0
    record = open_checkpoint(tmp_path / "codec").manifest.training
    digest = open_checkpoint(SHAPES10).digest
    assert [record["stages"][name].get("codec") for name in TUNED] == [digest] * 3 + [None]
    assert record["stages"]["stage2"]["epochs"] == 1
    assert record["teacher_accuracy"] > 0.5
    assert record["teacher"] == {"codec": digest, "name": "shapes10"}
    assert "teacher_parameters" not in record
    shown = capsys.readouterr().err.replace("\n", "")
    assert all(f"{name}: taken from {SHAPES10}" in shown for name in TUNED[:-1])
    assert "stage2: done" in shown


@pytest.mark.parametrize("other", [False, True])
def test_a_name_is_of_a_codec_here_or_else_of_one_that_ships(
    other: bool, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("codecs").mkdir()  # as after the first training
    if other:
        changed = {"encoder.input.mean": [0.5, 0.5, 0.5]}
        relabelled(SHAPES10, tmp_path / "codecs" / "shapes10", changed)
    settings = tuning(data_dir, tmp_path, Path("shapes10"))
    same = given_codecs(settings)["head"].digest == open_checkpoint(SHAPES10).digest
    assert same == (not other)


def test_whitening_is_left_out_unless_it_is_asked_for(data_dir: Path) -> None:
    manifest = read_manifest(data_dir / "shapes10")

    def whitening(**asked: Any) -> float | None:
        preset = settings_from_preset("embedded", manifest, name="x", overrides=asked)
        return preset.distillation.whitening

    assert whitening(distillation={"whitening": 0.99}) == 0.99
    assert whitening(init_from=SHAPES10) is None
    assert whitening(teacher={"codec": SHAPES10}) is None
    assert whitening(init_from=SHAPES10, distillation={"whitening": 0.9}) == 0.9


def test_the_codec_that_was_opened_is_recorded_whatever_its_folder_holds_later(
    data_dir: Path, tmp_path: Path
) -> None:
    codec = copy_of(SHAPES10, tmp_path / "codec")
    pipeline = Pipeline(tuning(data_dir, tmp_path, codec), run_here())
    trained = pipeline.train(lambda stage, ran: None)
    assert trained is not None
    shutil.rmtree(codec)
    export_codec(
        trained, tmp_path / "out", command="", ranks=1, bf16=False, report=lambda done, total: None
    )
    record = open_checkpoint(tmp_path / "out").manifest.training
    assert record["stages"]["head"]["codec"] == open_checkpoint(SHAPES10).digest


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (["init_from=nowhere"], 6, "codecs/nowhere/manifest.json"),
        (["teacher.codec=./no/where"], 6, "no such file: no/where/manifest.json"),
        (["init_from=shapes100"], 2, "100 classes of shapes100"),  # one that ships
        (['init_from="a\\0b"'], 2, "an escape makes the character U+0000"),
        (["teacher.codec=7"], 2, "teacher.codec"),
        (["init_from=[1]"], 2, "init_from"),
        (["init_from=SHAPES10"], 2, "init_from has its own depths"),  # smoke searches
        (["init_from=SHAPES10", "depths=darts"], 2, "init_from has its own depths"),
        (["teacher.codec=SHAPES10", "teacher.weights=x.pt"], 2, "omit one of them"),
        (
            ["init_from=SHAPES10", "architecture.encoder.width=1"],
            2,
            "architecture.encoder: init_fr",
        ),
        (["teacher.codec=SHAPES10", "teacher.encoder.hidden=1"], 2, "teacher.encoder: teacher.cod"),
        (["init_from=DIRECT"], 2, "is of jscc-student with an encoder of kind student"),
        (["teacher.codec=CLASSES"], 2, "12 classes of shapes10, not 10 of shapes10"),
        (["teacher.codec=SHAPES100"], 2, "100 classes of shapes100, not 10 of shapes10"),
        (
            ["init_from=SHAPES10", "architecture.channel.feature_dim=64", "depths=preset"],
            2,
            "has features of 128 numbers, not 64",
        ),
        (
            ["teacher.encoder={kind: student, depths: [1, 1, 1, 1], stem_conv_stride: 1}"],
            2,
            "only as",
        ),
        (["init_from=OUT", "depths=preset"], 2, "OUT is the codec that the training starts from"),
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
    Path("SHAPES10").symlink_to(SHAPES10)
    Path("SHAPES100").symlink_to(SHAPES10.with_name("shapes100"))
    relabelled(SHAPES10, tmp_path / "DIRECT", {"channel.system": "jscc-student"})
    relabelled(SHAPES10, tmp_path / "CLASSES", {"classes": 12})
    arguments = ["shapes10", "--preset", "smoke", "--data", str(data_dir), "--out", "OUT"]
    Path("OUT").symlink_to(SHAPES10)
    assert command.main([*arguments, *setting_words(*words)]) == code
    shown = capsys.readouterr().err
    assert told in shown
    assert len(shown.splitlines()) == 1


@pytest.mark.parametrize("system", ["jscc-student", "jscc-teacher"])
def test_baselines_take_no_codec_but_a_frozen_teacher(
    system: Any, data_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match="jscc-teacher with jscc_teacher"):
        small_settings(data_dir, tmp_path, system=system, teacher={"codec": SHAPES10})
    with pytest.raises(ConfigurationError, match="init_from: only for rkd-sc"):
        small_settings(data_dir, tmp_path, system=system, init_from=SHAPES10)


def test_only_jscc_teacher_can_be_frozen(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="only for jscc-teacher, not for jscc-student"):
        small_settings(data_dir, tmp_path, system="jscc-student", jscc_teacher={"frozen": True})


def frozen(data_dir: Path, work_dir: Path, **changes: Any) -> TrainingSettings:
    """A JSCC-teacher whose encoder is the student of another data set."""
    codec = SHAPES10.with_name("shapes100")
    return small_settings(
        data_dir,
        work_dir,
        system="jscc-teacher",
        jscc_teacher={"frozen": True},
        teacher={"codec": codec},
        **changes,
    )


def test_frozen_teacher_of_another_data_set_learns_its_task_head_alone(
    data_dir: Path, tmp_path: Path
) -> None:
    settings = frozen(data_dir, tmp_path)
    codec = open_checkpoint(SHAPES10.with_name("shapes100"))
    assert settings.architecture.encoder == codec.manifest.architecture.encoder
    trained, told = train(settings)
    assert told == [("teacher", True), ("jscc", True)]
    encoder, head = given_student(codec)
    for key, value in trained.link.transmitter.encoder.state_dict().items():
        assert torch.equal(value, encoder.state_dict()[key]), key  # statistics of norms, too
    weight = trained.link.receiver.head.linear.weight
    assert weight.shape[0] == 10 != head.linear.out_features
    started = Pipeline(settings, run_here())
    started.stages["teacher"] = trained.stages["teacher"]
    drawn = started._make_link().receiver.head.linear.weight
    assert not torch.equal(weight, drawn)


def test_frozen_and_tuned_teachers_are_two_artefacts_and_the_manifest_says_which(
    data_dir: Path, tmp_path: Path
) -> None:
    trained, _ = train(frozen(data_dir, tmp_path))
    made = export_codec(
        trained, tmp_path / "codec", command="x", ranks=1, bf16=False,
        report=lambda done, total: None,
    )  # fmt: skip
    record = made.manifest.training
    assert record["jscc_teacher"] == {"frozen": True}
    assert record["teacher"]["name"] == "shapes100"
    assert "teacher_accuracy" not in record  # its head tells other classes
    assert made.manifest.system == "jscc-teacher"
    assert trained.stages["jscc"].identity["frozen"] is True
