"""The training pipeline on a handful of drawn images: stages, artefacts, resume, export."""

from __future__ import annotations

import errno
import json
import shlex
import shutil
from pathlib import Path
from typing import get_args

import numpy as np
import pytest

from orchestrator.training import __main__ as command
from orchestrator.training import artefacts
from orchestrator.training.export import export_codec
from orchestrator.training.presets import PRESETS, settings_from_preset
from orchestrator.training.settings import TrainingSettings
from orchestrator.training.stop import StoppedError
from semcom.architecture import System
from semcom.checkpoints import open_checkpoint
from semcom.errors import CheckpointError, ConfigurationError, StorageError
from semcom.shards import read_manifest
from tests.orchestrator.training.harness import (
    BATCH,
    SMALL,
    SMALL_WORDS,
    STAGES,
    parameters,
    setting_words,
    small_settings,
    train,
    train_until,
)


@pytest.fixture(scope="module")
def whole(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a job that was never stopped."""
    folder = tmp_path_factory.mktemp("whole")
    _, told = train(small_settings(data_dir, folder))
    assert told == [(stage, True) for stage in STAGES]
    return folder


@pytest.fixture(scope="module")
def whole_run(data_dir: Path, whole: Path) -> np.ndarray:
    """Its weights."""
    return parameters(train(small_settings(data_dir, whole))[0])


@pytest.fixture
def finished(data_dir: Path, whole: Path, tmp_path: Path) -> TrainingSettings:
    """That job in a folder of the test's own."""
    folder = tmp_path / "finished"
    shutil.copytree(whole, folder)
    return small_settings(data_dir, folder)


def test_finished_stages_are_taken_over_by_the_next_run(
    finished: TrainingSettings, whole_run: np.ndarray
) -> None:
    again, told = train(finished)
    assert told == [(stage, False) for stage in STAGES]
    np.testing.assert_array_equal(parameters(again), whole_run)


@pytest.mark.parametrize("steps", [3, 11, 17, 34])
def test_a_run_stopped_in_the_middle_of_an_epoch_resumes_to_the_same_bits(
    steps: int, data_dir: Path, tmp_path: Path, whole_run: np.ndarray
) -> None:
    # 8 steps of the teacher, 4 of the search (half the images), 8 of each stage that follows.
    settings = small_settings(data_dir, tmp_path)
    with pytest.raises(StoppedError) as stopped:
        train(settings, stop_after=steps)
    assert stopped.value.exit_code == 143
    resumed, told = train(settings)
    assert told[-1] == ("stage2", True)
    np.testing.assert_array_equal(parameters(resumed), whole_run)


MUON = {
    "stages": {name: {"epochs": 2, "batch": BATCH, "optimizer": "muon"} for name in STAGES},
    "distillation": {"whitening": 0.99},
    "depths": "preset",
}


@pytest.fixture(scope="module")
def whole_muon_run(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> np.ndarray:
    """The weights of a job with Muon and whitened targets that was never stopped."""
    return parameters(train(small_settings(data_dir, tmp_path_factory.mktemp("muon"), **MUON))[0])


@pytest.mark.parametrize("steps", [3, 11, 27])  # teacher, stage 1, stage 2
def test_muon_on_whitened_targets_resumes_to_the_same_bits(
    steps: int, data_dir: Path, tmp_path: Path, whole_muon_run: np.ndarray
) -> None:
    settings = small_settings(data_dir, tmp_path, **MUON)
    with pytest.raises(StoppedError):
        train(settings, stop_after=steps)
    np.testing.assert_array_equal(parameters(train(settings)[0]), whole_muon_run)


@pytest.mark.parametrize(
    ("system", "stages"),
    [
        ("cat-student", ["jscc"]),
        ("jscc-student", ["jscc"]),
        ("jscc-teacher", ["teacher", "jscc"]),
    ],
)
def test_baselines_train_end_to_end_and_resume(
    system: str, stages: list[str], data_dir: Path, tmp_path: Path
) -> None:
    settings = small_settings(data_dir, tmp_path / "a", system=system)  # type: ignore[arg-type]
    trained, told = train(settings)
    assert [stage for stage, _ in told] == stages
    other = small_settings(data_dir, tmp_path / "b", system=system)  # type: ignore[arg-type]
    with pytest.raises(StoppedError):
        train(other, stop_after=8 * len(stages) - 3)
    np.testing.assert_array_equal(parameters(trained), parameters(train(other)[0]))


def test_cat_student_has_the_codewords_of_rkd_sc_and_no_teacher(
    data_dir: Path, tmp_path: Path
) -> None:
    ours = small_settings(data_dir, tmp_path)
    untaught = small_settings(data_dir, tmp_path, system="cat-student")
    as_ours = untaught.architecture.channel.model_copy(update={"system": "rkd-sc"})
    assert as_ours == ours.architecture.channel
    trained, _ = train(untaught)
    assert trained.teacher is None
    codec = export_codec(
        trained, tmp_path / "codec", command="semcom train", ranks=1, bf16=False,
        report=lambda done, total: None,
    )  # fmt: skip
    assert (codec.manifest.system, codec.manifest.family.name) == ("cat-student", "rkd")
    assert codec.manifest.symbols == ours.architecture.channel.symbols
    assert "teacher" not in codec.manifest.training


def test_the_jscc_teacher_sends_with_the_teachers_own_encoder(
    data_dir: Path, finished: TrainingSettings
) -> None:
    settings = small_settings(data_dir, finished.work_dir, system="jscc-teacher")
    trained, told = train(settings)
    assert told[0] == ("teacher", False)  # the one that the student learnt from
    assert settings.architecture.encoder == settings.teacher.encoder
    assert trained.teacher is not None
    started, ended = (
        parameters_of.state_dict()["project.weight"]
        for parameters_of in (trained.teacher.encoder, trained.link.transmitter.encoder)
    )
    assert not np.array_equal(started.numpy(), ended.numpy())  # and it went on from there
    assert np.abs(started.numpy() - ended.numpy()).mean() < 0.5 * np.abs(started.numpy()).mean()


def test_changing_a_stage_reruns_it_and_what_follows(finished: TrainingSettings) -> None:
    head = finished.stages["head"].model_copy(update={"lr": 1e-3})
    changed = finished.model_copy(update={"stages": {**finished.stages, "head": head}})
    _, told = train(changed)
    assert [stage for stage, ran in told if ran] == ["head", "stage2"]


def test_ratios_share_the_encoder_and_not_the_head_that_is_drawn_after_it(
    data_dir: Path, finished: TrainingSettings
) -> None:
    thin = {"channel": {"compression_ratio": 0.9}, **SMALL["architecture"]}
    other = small_settings(data_dir, finished.work_dir, architecture=thin)
    pipelines = [train_until(settings, "head") for settings in (finished, other)]
    one, two = ({name: made.digest for name, made in p.stages.items()} for p in pipelines)
    assert {name for name in one if one[name] != two[name]} == {"head"}


def test_a_full_disk_ends_the_job_and_keeps_the_last_good_save(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole_run: np.ndarray
) -> None:
    settings = small_settings(data_dir, tmp_path)
    with pytest.raises(StoppedError):
        train(settings, stop_after=6)
    (saved,) = tmp_path.glob("artefacts/*/teacher-*/resume.pt")
    kept = saved.read_bytes()

    def full(path: Path, content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(artefacts, "write_atomically", full)
        with pytest.raises(
            StorageError, match="No space left on device; the last checkpoint is kept"
        ):
            train(settings)
    assert saved.read_bytes() == kept
    np.testing.assert_array_equal(parameters(train(settings)[0]), whole_run)


def test_a_damaged_artefact_is_one_line_that_says_what_to_do(finished: TrainingSettings) -> None:
    (weights,) = finished.work_dir.glob("artefacts/*/head-*/weights.safetensors")
    weights.write_bytes(weights.read_bytes()[:-7])
    with pytest.raises(CheckpointError, match="is damaged; remove it and run again"):
        train(finished)


def test_command_trains_exports_and_records_what_it_did(data_dir: Path, tmp_path: Path) -> None:
    arguments = ["shapes10", "--preset", "smoke", "--name", "tiny", "--data", str(data_dir)]
    arguments += ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "codec")]
    arguments += setting_words(*SMALL_WORDS, "images=128", "depths=preset")
    assert command.main(arguments) == 0
    checkpoint = open_checkpoint(tmp_path / "codec")
    checkpoint.verify()
    assert checkpoint.manifest.training["command"] == f"semcom train {shlex.join(arguments)}"
    assert checkpoint.manifest.training["ranks"] == 1
    assert checkpoint.manifest.classes == read_manifest(data_dir / "shapes10").classes
    assert not (tmp_path / "work" / "tiny" / "draft").exists()
    assert checkpoint.manifest.results["test_images"] == 50
    assert checkpoint.manifest.training["stages"]["teacher"]["epochs"] == 4
    assert checkpoint.manifest.training["training_images"] == 128
    lines = (tmp_path / "work" / "tiny" / "progress.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    losses = [r["losses"]["task"] for r in records if r["stage"] == "teacher"]
    assert losses[-1] < losses[0]
    assert {"time", "epochs", "steps", "images_per_s", "lr", "checkpoint_s"} < set(records[0])
    assert list((tmp_path / "work" / "tiny" / "events").glob("events.out.*"))


def test_the_command_that_a_codec_names_is_of_its_settings_alone() -> None:
    words = ["shapes10", "--progress", "lines.jsonl", "--nproc", "2", "--set", "a=b"]
    arguments = command.parse(words)
    assert arguments.settings_words == ["shapes10", "--set", "a=b"]
    assert arguments.words == ["shapes10", "--progress", "lines.jsonl", "--set", "a=b"]
    assert arguments.progress == Path("lines.jsonl")


def test_settings_come_from_a_file_under_those_of_the_command_line(
    data_dir: Path, tmp_path: Path
) -> None:
    config = tmp_path / "job.yaml"
    config.write_text("seed: 3\nstages: {head: {epochs: 7}}\n")
    arguments = ["shapes10", "--preset", "smoke", "--data", str(data_dir), "--config", str(config)]
    settings = command.settings_of(command.parse([*arguments, "--set", "stages.head.epochs=9"]))
    assert settings.seed == 3
    assert settings.stages["head"].epochs == 9


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nothing"], "data prepare nothing"),
        (["shapes10", "--preset", "huge"], "compact"),
        (["shapes10", "--set", "stages.stage1.epoch=3"], "stages.stage1.epoch"),
        (["shapes10", "--set", "seed"], "KEY=VALUE"),
        (["shapes10", "--set", "seed.x=1", "--set", "seed.x.y=1"], "is a value"),
        (["shapes10", "--set", "seed=[1"], "seed=[1"),
        (["shapes10", "--set", "architecture=3"], "architecture: a group of settings, got 3"),
        (["shapes10", "--system", "jscc-teacher", "--set", "teacher="], "teacher: a group"),
        (["shapes10", "--config", "missing.yaml"], "missing.yaml"),
        (["shapes10", "--nproc", "3"], "over 3 ranks"),
        (["shapes10", "--set", "device=cuda"], "no usable GPU"),
        (["shapes10", "--set", "distillation.snr_db_low=30"], "above snr_db_high"),
        (["shapes10", "--set", "stages.search.epochs=4"], "leaves alpha none of the 4 epochs"),
        (["shapes10", "--system", "jscc-student", "--set", "depths=search"], "has no search"),
        (
            ["shapes10", "--system", "jscc-teacher", "--set", "architecture.encoder.width=0.5"],
            "sends with teacher.encoder",
        ),
        (["shapes10", "--until", "jscc"], "no stage 'jscc'"),
        (["shapes10", "--nnodes", "2"], "--rendezvous"),
        (["shapes10", "--set", "name=2024-13-45"], "name is set by --name"),
        (["shapes10", "--set", "seed=010"], "--set seed=010, line 1, column 1: 010 begins with 0"),
        (["shapes10", "--set", "seeds=1"], "allowed: architecture, "),
        (["shapes10", "--set", "teacher.weights=none.pt"], "timm"),
    ],
)
def test_wrong_arguments_are_one_line_and_exit_code_2(
    arguments: list[str],
    words: str,
    data_dir: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert command.main([*arguments, "--data", str(data_dir)]) == 2
    assert words in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize("ranks", ["0", "-2", "many", "257"])
def test_ranks_are_counted(ranks: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(["shapes10", "--nproc", ranks])
    assert ended.value.code == 2
    assert f"argument --nproc: must be 1 to 256, got '{ranks}'" in capsys.readouterr().err


@pytest.mark.parametrize("preset", ["compact", "embedded", "smoke"])
def test_the_jscc_teacher_is_tuned_at_a_tenth_of_the_teachers_rate(
    preset: str, data_dir: Path
) -> None:
    manifest = read_manifest(data_dir / "shapes10")
    settings = settings_from_preset(preset, manifest, name="x", system="jscc-teacher", overrides={})
    assert settings.stages["jscc"].lr == pytest.approx(settings.stages["teacher"].lr / 10)


def test_larger_sets_rest_alpha_for_the_same_share(data_dir: Path) -> None:
    small = read_manifest(data_dir / "shapes10")
    train = small.splits["train"].model_copy(update={"images": 100_000})
    large = small.model_copy(update={"splits": {**small.splits, "train": train}})
    for manifest, epochs, rest in ((small, 10, 4), (large, 5, 2)):
        settings = settings_from_preset("compact", manifest, name="x", overrides={})
        assert (settings.stages["search"].epochs, settings.search.warmup_epochs) == (epochs, rest)


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("system", get_args(System))
def test_every_preset_is_valid_for_every_system(preset: str, system: str, data_dir: Path) -> None:
    manifest = read_manifest(data_dir / "shapes10")
    settings = settings_from_preset(
        preset,
        manifest,
        name="x",
        system=system,  # type: ignore[arg-type]
        overrides={},
    )
    assert settings.system == system


def test_unknown_preset_names_those_there(data_dir: Path) -> None:
    manifest = read_manifest(data_dir / "shapes10")
    with pytest.raises(ConfigurationError, match="compact, embedded, smoke, paper"):
        settings_from_preset("none", manifest, name="x", overrides={})
