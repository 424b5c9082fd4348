"""Jobs of the family `semnoma`: resume, what stages share, patience, export, the command."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from orchestrator.training import __main__ as command
from orchestrator.training.arguments import parse, settings_of
from orchestrator.training.semnoma import evaluation
from orchestrator.training.semnoma.evaluation import Condition, evaluate, load_link
from orchestrator.training.semnoma.export import export_codec
from orchestrator.training.semnoma.pipeline import SemnomaPipeline
from orchestrator.training.semnoma.stages import SlotStage
from orchestrator.training.stop import StoppedError
from semcom.checkpoints import Checkpoint, open_checkpoint
from semcom.errors import ConfigurationError
from semcom.shards import Shard
from tests.orchestrator.training.harness import run_here
from tests.orchestrator.training.semnoma.harness import small_settings, train
from tests.semcom.families.semnoma_codec import make_codec


def test_a_job_that_was_stopped_in_any_stage_ends_with_the_same_bits(
    data_dir: Path, tmp_path: Path
) -> None:
    whole, told = train(small_settings(data_dir, tmp_path / "whole"))
    assert told == [("teacher", True), ("kd_semnoma", True)]
    stopped = small_settings(data_dir, tmp_path / "stopped")
    for steps in (5, 6):  # in the teacher's second epoch, and in the student's first
        with pytest.raises(StoppedError):
            train(stopped, stop_after=steps)
    resumed, told = train(stopped)
    assert told == [("teacher", False), ("kd_semnoma", True)]
    for (name, one), other in zip(
        whole.link.state_dict().items(), resumed.link.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name
    assert resumed.validated_db == whole.validated_db


def test_systems_share_the_teacher_and_nothing_else(data_dir: Path, tmp_path: Path) -> None:
    _, told = train(small_settings(data_dir, tmp_path, system="semnoma-teacher"))
    assert told == [("teacher", True)]
    _, told = train(small_settings(data_dir, tmp_path))
    assert told == [("teacher", False), ("kd_semnoma", True)]
    weights = {"losses": {"affinity_weight": 0.2}}
    _, told = train(small_settings(data_dir, tmp_path, **weights))
    assert told == [("teacher", False), ("kd_semnoma", True)]


def test_training_lowers_the_error(data_dir: Path, tmp_path: Path) -> None:
    stages = {"semnoma": {"epochs": 6, "batch": 8, "lr": 1e-2}}
    settings = small_settings(data_dir, tmp_path, system="semnoma", stages=stages)
    before = SemnomaPipeline(settings, run_here())._make_stage("semnoma").validate()
    trained, _ = train(settings)
    assert trained.validated_db["semnoma"] > before + 3.0


def test_patience_ends_a_stage_with_its_best_weights(
    data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached, states = [1.0, 5.0, 4.0, 3.0], []

    def validate(stage: SlotStage) -> float:
        states.append({name: v.clone() for name, v in stage.link.state_dict().items()})
        return reached[len(states) - 1] if len(states) <= len(reached) else 9.0

    monkeypatch.setattr(SlotStage, "validate", validate)
    stages = {"oma": {"epochs": 50, "batch": 8}}
    trained, _ = train(small_settings(data_dir, tmp_path, system="oma", patience=2, stages=stages))
    assert len(states) == 5  # four epochs, and once more at the end
    for name, value in trained.link.state_dict().items():
        assert torch.equal(value, states[1][name])


@pytest.fixture(scope="module")
def exported(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Checkpoint]:
    folder = tmp_path_factory.mktemp("exported")
    codecs = {}
    for system in ("kd-semnoma", "oma", "semnoma-teacher"):
        trained, _ = train(small_settings(data_dir, folder, system=system))
        codecs[system] = export_codec(
            trained, folder / system, command="semcom train", ranks=1, bf16=False,
            report=lambda done, total: None,
        )  # fmt: skip
    return codecs


def test_exported_codecs_say_what_they_are(exported: dict[str, Checkpoint]) -> None:
    joint, alone, teacher = (exported[each].manifest for each in exported)
    assert (joint.system, joint.architecture["users"], joint.symbols) == ("kd-semnoma", 2, 128)
    assert (alone.system, alone.architecture["users"], alone.symbols) == ("oma", 1, 64)
    assert (teacher.architecture["users"], teacher.symbols) == (1, 128)
    found = joint.results["psnr_db_by_channel_and_snr_db"]
    assert {name: list(of) for name, of in found.items()} == {
        "awgn": ["0", "5", "10", "15", "20"], "rayleigh": ["0", "5", "10", "15", "20"],
    }  # fmt: skip
    assert set(joint.training["stages"]) == {"teacher", "kd_semnoma"}
    for codec in exported.values():
        codec.verify()
        assert open_checkpoint(codec.folder).digest == codec.digest


def test_deployed_halves_compute_what_training_computes(
    exported: dict[str, Checkpoint], data_dir: Path
) -> None:
    codec, images = exported["kd-semnoma"], Shard(data_dir / "shapes10", "test").images_NHWC[:3]
    link = load_link(codec, users=2)
    sent = codec.load_transmitter().as_user(1).encode(np.array(images), snr_db=10.0)
    pixels = torch.from_numpy(np.array(images)).permute(0, 3, 1, 2) / 255.0
    with torch.no_grad():
        same = link.encoder(pixels, torch.ones(3, dtype=torch.long), torch.full((3,), 10.0))
    np.testing.assert_allclose(sent, same.numpy(), atol=1e-4)
    decoded = codec.load_receiver().decode_users(sent, None, snr_db_N=np.full(3, 10, np.float32))
    assert decoded.shape == (2, 3, 32, 32, 3)


def test_evaluation_pairs_the_systems(exported, data_dir, capsys) -> None:
    folders = [str(codec.folder) for codec in exported.values()]
    words = [*folders, "--data", str(data_dir), "--images", "6", "--snr-db", "5"]
    assert evaluation._main(words) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[2] for line in lines[1:]] == 2 * [*exported]
    assert lines[1].endswith(" | ")  # against itself
    images = np.array(Shard(data_dir / "shapes10", "test").images_NHWC[:6])
    at = Condition(channel="rayleigh", snr_db=5.0, users=2)
    link = load_link(exported["oma"], users=2)
    quality = evaluate(link, images, at)
    assert quality.psnr_db_UM.shape == quality.ssim_UM.shape == (2, 6)
    np.testing.assert_array_equal(evaluate(link, images, at).psnr_db_UM, quality.psnr_db_UM)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--users", "3"], "is for slots of 2 users; set --users accordingly"),
        (["--images", "0"], "--users, --images: at least 1"),
        (["--dataset", "none"], "none"),
    ],
)
def test_evaluation_refuses_in_one_line(tmp_path, data_dir, capsys, words, message) -> None:
    codec = make_codec(tmp_path / "joint")
    words = [str(codec.folder), "--data", str(data_dir), "--dataset", "shapes10", *words]
    assert evaluation._main(words) in (2, 6)
    said = capsys.readouterr().err.strip()
    assert message in said
    assert "\n" not in said


def parsed(data_dir: Path, *words: str):
    return settings_of(parse(["shapes10", "--data", str(data_dir), *words]))


def test_command_takes_the_family_from_the_system_and_the_other_way_round(data_dir: Path) -> None:
    settings = parsed(data_dir, "--family", "semnoma", "--set", "stages.teacher.epochs=3")
    assert (settings.system, settings.stages["teacher"].epochs) == ("kd-semnoma", 3)
    assert settings.name == "shapes10-compact-kd-semnoma"
    assert parsed(data_dir, "--system", "oma", "--preset", "embedded").system == "oma"
    assert parsed(data_dir).system == "rkd-sc"
    with pytest.raises(SystemExit):
        parse(["shapes10", "--family", "semnoma", "--system", "jscc-teacher"])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--preset", "paper"), "unknown preset 'paper' of kd-semnoma; available: compact"),
        (("--set", "system=oma"), "system is set by --system"),
        (("--set", "architecture.item=[16, 16, 3]"), "architecture.item is set by the data set"),
        (("--set", "stages.oma.epochs=2"), "has no effect: kd-semnoma has no stage oma"),
        (("--set", "stages.teacher.momentum=0.5"), "has no effect: optimizer adamw"),
        (
            ("--set", "stages.teacher.batch=63"),
            "63 images are not a whole number of slots of 2 users",
        ),
        (("--set", "architecture.users=1"), "a slot has at least 2"),
        (("--set", "augmentation.views=2"), "leave it at 0"),
        (("--nproc", "64", "--set", "stages.teacher.batch=64"), "64 ranks of slots of 2 leave"),
        (
            ("--system", "oma", "--set", "architecture.channels=6"),
            "not a whole number of symbols for each",
        ),
        (("--system", "oma", "--set", "losses.cross_weight=1"), "oma follows no teacher"),
        (("--system", "oma", "--set", "teacher_power=share"), "oma has no teacher"),
    ],
)
def test_settings_that_cannot_be_meant_are_one_line(data_dir, words, message) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        parsed(data_dir, "--family", "semnoma", *words)
    assert "\n" not in str(refused.value)


def test_too_few_images_are_refused(data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ConfigurationError, match="a step takes 8 images, but there are only 5 besides 1"
    ):
        train(small_settings(data_dir, tmp_path, images=6))
    settings = small_settings(data_dir, tmp_path)
    with pytest.raises(ConfigurationError, match="no stage 'jscc' here; available: teacher"):
        SemnomaPipeline(settings, run_here()).train(lambda stage, ran: None, until="jscc")


def test_command_trains_and_writes_a_codec(
    data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["shapes10", "--system", "oma", "--preset", "smoke", "--data", str(data_dir)]
    words += ["--work", str(tmp_path / "work"), "--out", str(tmp_path / "codec")]
    for setting in ("images=40", "stages.oma.batch=8", "architecture.widths=[8, 16]", "threads=1"):
        words += ["--set", setting]
    assert command.main(words) == 0
    assert "PSNR in dB by SNR: awgn" in capsys.readouterr().err
    manifest = json.loads((tmp_path / "codec" / "manifest.json").read_text())
    assert (manifest["name"], manifest["family"]) == ("shapes10-smoke-oma", "semnoma")
    assert manifest["training"]["stages"]["oma"]["validation_psnr_db"] > 0
    open_checkpoint(tmp_path / "codec").verify()
