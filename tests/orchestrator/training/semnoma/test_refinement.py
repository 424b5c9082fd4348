"""Refinements: what they learn, resume, what codecs share, how starts are chosen, the command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orchestrator.training import __main__ as command
from orchestrator.training.arguments import parse, settings_of
from orchestrator.training.data import EpochKey, Rank
from orchestrator.training.semnoma import evaluation
from orchestrator.training.semnoma.evaluation import load_link
from orchestrator.training.semnoma.export import export_codec
from orchestrator.training.semnoma.refinement.criteria import Criterion, criterion_of
from orchestrator.training.semnoma.refinement.discriminator import PatchDiscriminator
from orchestrator.training.semnoma.refinement.export import export_refined
from orchestrator.training.semnoma.refinement.pipeline import (
    RefinementPipeline,
    RefinementTrained,
)
from orchestrator.training.semnoma.refinement.presets import settings_from_preset
from orchestrator.training.semnoma.refinement.settings import RefinementSettings
from orchestrator.training.semnoma.refinement.stages import DiffusionStage, GanStage
from orchestrator.training.semnoma.refinement.starts import choose_starts
from orchestrator.training.stop import StoppedError
from receiver.semnoma.refinement import DiffusionRefiner
from semcom.checkpoints import Checkpoint, open_checkpoint
from semcom.errors import ConfigurationError
from semcom.families.semnoma_refinement import DiffusionRefinement, Start
from semcom.item_keys import keys_of_frame
from semcom.shards import Shard, read_manifest
from tests.orchestrator.measures.stand_ins import write_lpips
from tests.orchestrator.training.harness import run_here
from tests.orchestrator.training.semnoma import harness
from tests.semcom.families.semnoma_codec import CGAN, make_codec

SYSTEMS = ("semnoma-diffusion", "semnoma-cgan")


@pytest.fixture(scope="module")
def codecs(data_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small codecs of slots and of plain links."""
    folder = tmp_path_factory.mktemp("codecs")
    for system in ("semnoma", "oma"):
        trained, _ = harness.train(harness.small_settings(data_dir, folder, system=system))
        export_codec(
            trained, folder / system, command="semcom train", ranks=1, bf16=False,
            report=lambda done, total: None,
        )  # fmt: skip
    return {system: folder / system for system in ("semnoma", "oma")}


def small_settings(
    data_dir: Path, work_dir: Path, codec: Path, *, system: str = SYSTEMS[0], **overrides: Any
) -> RefinementSettings:
    """A job of seconds."""
    laid = {
        "images": 40, "precision": "fp32", "init_from": codec, "data_dir": data_dir,
        "work_dir": work_dir, "cgan": {"discriminator_width": 8},
        "diffusion": {"starts": [0, 5, 40], "snr_db": [0.0, 20.0], "chosen_on": 3},
        "stages": {name: {"epochs": 2, "batch": 8} for name in ("diffusion", "cgan")}, **overrides,
    }  # fmt: skip
    return settings_from_preset(
        "smoke", read_manifest(data_dir / "shapes10"), name="tiny", system=system, overrides=laid
    )  # type: ignore[arg-type]


def train(
    settings: RefinementSettings, stop_after: int | None = None
) -> tuple[RefinementTrained, list[tuple[str, bool]]]:
    told: list[tuple[str, bool]] = []
    pipeline = RefinementPipeline(settings, run_here(settings.seed, stop_after))
    trained = pipeline.train(lambda stage, ran: told.append((stage, ran)))
    assert trained is not None
    return trained, told


def exported(trained: RefinementTrained, folder: Path) -> Checkpoint:
    return export_refined(
        trained, folder, command="semcom train", ranks=1, bf16=False,
        report=lambda done, total: None,
    )  # fmt: skip


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_job_that_was_stopped_ends_with_the_same_bits(
    system: str, codecs: dict[str, Path], data_dir: Path, tmp_path: Path
) -> None:
    whole, told = train(
        small_settings(data_dir, tmp_path / "whole", codecs["semnoma"], system=system)
    )
    assert told == [(system.removeprefix("semnoma-"), True)]
    stopped = small_settings(data_dir, tmp_path / "stopped", codecs["semnoma"], system=system)
    for steps in (3, 2):  # in the first epoch, and in the second
        with pytest.raises(StoppedError):
            train(stopped, stop_after=steps)
    resumed, _ = train(stopped)
    for (name, one), other in zip(
        whole.stage.state_dict().items(), resumed.stage.state_dict().values(), strict=True
    ):
        assert torch.equal(one, other), name
    assert resumed.validated == whole.validated


def test_codecs_of_one_data_set_share_the_prior_and_no_gan(
    codecs: dict[str, Path], data_dir: Path, tmp_path: Path
) -> None:
    ran = {
        (system, codec): train(small_settings(data_dir, tmp_path, codecs[codec], system=system))[1][
            0
        ][1]
        for system in SYSTEMS
        for codec in ("semnoma", "oma")
    }
    assert list(ran.values()) == [True, False, True, True]
    other = small_settings(
        data_dir, tmp_path, codecs["oma"], diffusion={"starts": [0, 20], "criterion": "psnr"}
    )
    assert train(other)[1] == [("diffusion", False)]  # what chooses the starts trains nothing


def test_training_lowers_the_error_of_the_noise(codecs, data_dir: Path, tmp_path: Path) -> None:
    stages = {"diffusion": {"epochs": 12, "batch": 8, "lr": 3e-3}}
    settings = small_settings(data_dir, tmp_path, codecs["semnoma"], stages=stages)
    untrained = RefinementPipeline(settings, run_here())._make_stage("diffusion")
    assert untrained.validate()["noise_error"] == pytest.approx(1.0, abs=0.05)  # predicts none
    assert train(settings)[0].validated["noise_error"] < 0.7


def test_average_follows_the_weights_and_is_what_is_exported(
    codecs, data_dir: Path, tmp_path: Path
) -> None:
    settings = small_settings(data_dir, tmp_path, codecs["semnoma"])
    stage = RefinementPipeline(settings, run_here())._make_stage("diffusion")
    assert isinstance(stage, DiffusionStage)
    first = stage.unet.enter.weight.detach().clone()
    stage.before_step(0, 0.0)
    with torch.no_grad():
        stage.unet.enter.weight += 1.0
    stage.before_step(1, 0.0)
    decay = min(0.999, 2 / 11)
    torch.testing.assert_close(
        stage.exported.enter.weight, decay * first + (1 - decay) * (first + 1)
    )
    assert {id(p) for p in stage.trained_parameters()} == {id(p) for p in stage.unet.parameters()}


def test_generator_and_discriminator_move_each_other_not(
    codecs, data_dir: Path, tmp_path: Path
) -> None:
    settings = small_settings(data_dir, tmp_path, codecs["oma"], system="semnoma-cgan")
    pipeline = RefinementPipeline(settings, run_here())
    stage = pipeline._make_stage("cgan")
    assert isinstance(stage, GanStage)
    key, rank = EpochKey(0, "cgan", 0), pipeline.run.rank
    epoch = pipeline.images.epoch(settings.augmentation, key=key, batch=8, views=False, rank=rank)
    batch = epoch[0]
    for term, moved, still in (
        ("adversarial", stage.generator, stage.discriminator),
        ("discriminator", stage.discriminator, stage.generator),
        ("image", stage.generator, stage.discriminator),
    ):
        stage.zero_grad()
        stage(batch)[term].backward()
        assert all(p.grad is None for p in still.parameters()), term
        assert any(p.grad is not None and p.grad.abs().max() > 0 for p in moved.parameters()), term


def test_discriminator_scores_patches_of_22_pixels() -> None:
    discriminator = PatchDiscriminator(8).eval()
    images = torch.zeros(1, 3, 64, 64, requires_grad=True)
    scores = discriminator(images, torch.zeros(1, 4, 64, 64))
    assert scores.shape == (1, 1, 15, 15)
    plain = PatchDiscriminator(8)
    plain.layers[3] = torch.nn.Identity()  # the norm looks at the whole map
    plain(images, torch.zeros(1, 4, 64, 64))[0, 0, 7, 7].backward()
    assert images.grad is not None
    rows = images.grad.abs().sum(dim=(0, 1, 3)).nonzero()
    assert int(rows.max() - rows.min()) + 1 == 22


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_start_of_each_snr_is_the_best_by_the_criterion(
    better: str, codecs, data_dir: Path
) -> None:
    """A measure of its own, which likes images of more noise: the highest start, or none."""

    def roughness(answers: np.ndarray, references: np.ndarray) -> np.ndarray:
        assert answers.shape == references.shape == (2 * 3, 32, 32, 3)
        return np.abs(np.diff(answers.astype(np.float64), axis=1)).mean(axis=(1, 2, 3))

    refinement = DiffusionRefinement(unet={"width": 8}, starts=(Start(snr_db=0, step=0),))
    settings = small_settings(data_dir, data_dir, codecs["semnoma"]).diffusion
    images = np.array(Shard(data_dir / "shapes10", "train").images_NHWC[:3])
    starts, means = choose_starts(
        DiffusionRefiner(refinement),  # knows nothing: it leaves the noise
        load_link(open_checkpoint(codecs["semnoma"]), users=2),
        images,
        settings=settings,
        by=(Criterion("roughness", better == "higher", roughness), ("awgn", "rayleigh")),
        report=lambda done, total: None,
    )
    assert [start.step for start in starts] == 2 * [40 if better == "higher" else 0]
    assert [list(of) for of in means.values()] == 2 * [["0", "5", "40"]]


def test_of_equal_starts_the_lowest_is_chosen() -> None:
    assert criterion_of("ssim", Path()).best({0: 0.5, 5: 0.7, 10: 0.7}) == 5


@pytest.mark.parametrize("name", ["lpips", "ssim", "psnr"])
def test_criteria_like_images_better_the_nearer_they_are(name: str, tmp_path: Path) -> None:
    write_lpips(tmp_path)
    criterion = criterion_of(name, tmp_path)  # type: ignore[arg-type]
    sent = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    noisy = {
        step: np.clip(sent + step * np.random.default_rng(1).normal(size=sent.shape), 0, 255)
        for step in (40, 5, 80)
    }
    means = {
        step: float(criterion.measure(each.astype(np.uint8), sent).mean())
        for step, each in noisy.items()
    }
    assert criterion.best(means) == 5


def test_damaged_weights_of_a_criterion_are_one_line(tmp_path: Path) -> None:
    write_lpips(tmp_path)
    (tmp_path / "weights" / "lpips" / "alexnet.safetensors").write_bytes(b"none")
    with pytest.raises(ConfigurationError, match=r"diffusion\.criterion: ") as refused:
        criterion_of("lpips", tmp_path)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("system", SYSTEMS)
@pytest.mark.parametrize("base", ["semnoma", "oma"])
def test_refined_codec_is_the_codec_and_its_refinement(
    system: str, base: str, codecs, data_dir: Path, tmp_path: Path
) -> None:
    trained, _ = train(small_settings(data_dir, tmp_path, codecs[base], system=system))
    refined, plain = exported(trained, tmp_path / "refined"), open_checkpoint(codecs[base])
    refined.verify()
    assert refined.path("transmitter").read_bytes() == plain.path("transmitter").read_bytes()
    manifest, kind = refined.manifest, system.removeprefix("semnoma-")
    assert (manifest.system, manifest.links) == (f"{base}-{kind}", plain.manifest.links)
    assert manifest.architecture["refinement"]["kind"] == kind
    assert manifest.training["init_from"]["digest"] == plain.digest
    assert set(manifest.results) >= {
        "psnr_db_by_channel_and_snr_db", "unrefined_psnr_db_by_channel_and_snr_db",
    }  # fmt: skip
    if kind == "diffusion":
        steps = [start["step"] for start in manifest.architecture["refinement"]["starts"]]
        means = manifest.training["starts"]["mean_by_snr_db_and_start"]
        assert steps == [int(max(of, key=of.get)) for of in means.values()]
    symbols = plain.load_transmitter()
    sender = symbols.as_user(0) if base == "semnoma" else symbols  # type: ignore[attr-defined]
    sent = sender.encode(np.array(Shard(data_dir / "shapes10", "test").images_NHWC[:2]), snr_db=0.0)
    images = [decoded(each, sent) for each in (plain, refined)]
    if kind == "cgan" or steps[0] > 0:
        assert not np.array_equal(*images)
    np.testing.assert_allclose(*images, atol=0.5)


def decoded(codec: Checkpoint, sent: np.ndarray) -> np.ndarray:
    """What the first user's image becomes at 0 dB without noise, clipped as answers are."""
    receiver: Any = codec.load_receiver()
    keys = keys_of_frame(0, "east", first=0, count=len(sent))
    snr_db = np.zeros(len(sent), np.float32)
    if codec.manifest.links > 1:
        told = {"keys_UN": [keys] * codec.manifest.links} if receiver.draws else {}
        return receiver.decode_users(sent, None, snr_db_N=snr_db, **told)[0].clip(0, 1)
    told = {"keys_N": keys} if receiver.draws else {}
    told |= {"equalizer": "zero_forcing"}
    return receiver.decode(sent, None, snr_db_N=snr_db, **told).clip(0, 1)


def parsed(data_dir: Path, *words: str) -> Any:
    return settings_of(parse(["shapes10", "--data", str(data_dir), *words]))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((), "name the codec whose images are refined: --set init_from=CODEC"),
        (("--set", "init_from=CODEC", "--preset", "published"), "available: compact, embedded"),
        (("--set", "init_from=REFINED"), "is already refined, by cgan"),
        (("--set", "init_from=SMALL"), "is for own, not for shapes10"),
        (("--set", "init_from=shapes10"), "is not of the family semnoma"),
        (
            ("--set", "init_from=CODEC", "--preset", "smoke", "--out", "CODEC"),
            "is the codec that is refined",
        ),
        (("--set", "init_from=CODEC", "--set", "cgan.adversarial_weight=1"), "has no stage cgan"),
        (("--set", "init_from=CODEC", "--set", "diffusion.highest_step=10"), "step 80 is above"),
        (("--set", "init_from=CODEC", "--set", "diffusion.snr_db=[5, 0]"), "SNRs ascend"),
        (("--set", "init_from=CODEC", "--set", "unet.width=9"), "unet.width"),
        (("--set", "init_from=CODEC"), "with: semcom weights lpips, or set diffusion.criterion"),
        (("--set", "init_from=CODEC", "--set", "augmentation.views=2"), "leave it at 0"),
        (
            ("--set", "init_from=CODEC", "--preset", "smoke", "--nproc", "3"),
            "diffusion.batch: 64 items over 3 ranks leave a remainder",
        ),
    ],
)
def test_settings_that_cannot_be_meant_are_one_line(
    words: tuple[str, ...], message: str, codecs, data_dir: Path, tmp_path: Path
) -> None:
    make_codec(tmp_path / "refined", item=(32, 32, 3), refinement=CGAN)
    make_codec(tmp_path / "small")
    places = {
        "CODEC": codecs["semnoma"], "REFINED": tmp_path / "refined", "SMALL": tmp_path / "small",
    }  # fmt: skip
    for name, place in places.items():
        words = tuple(word.replace(name, str(place)) for word in words)
    with pytest.raises(ConfigurationError, match=message) as refused:
        parsed(data_dir, "--system", "semnoma-diffusion", *words)
    assert "\n" not in str(refused.value)


def test_slots_are_whole_on_every_rank(codecs, data_dir: Path) -> None:
    words = ("--preset", "smoke", "--set", f"init_from={codecs['semnoma']}", "--nproc", "64")
    assert parsed(data_dir, "--system", "semnoma-diffusion", *words).stage == "diffusion"
    with pytest.raises(ConfigurationError, match=r"cgan\.batch: 64 items over 64 ranks of slots"):
        parsed(data_dir, "--system", "semnoma-cgan", *words)


@pytest.mark.parametrize("system", SYSTEMS)
def test_two_ranks_draw_what_one_draws(system: str, codecs, data_dir: Path, tmp_path: Path) -> None:
    settings = small_settings(data_dir, tmp_path, codecs["semnoma"], system=system)
    pipeline = RefinementPipeline(settings, run_here())
    stage = pipeline._make_stage(settings.stage)
    torch.manual_seed(0)
    for parameter in stage.trained_parameters():  # of which some begin as zeros
        torch.nn.init.normal_(parameter, std=0.1)
    key = EpochKey(0, settings.stage, 0)
    losses = [
        stage(pipeline.images.epoch(
            settings.augmentation, key=key, batch=8, views=False, rank=rank
        )[0])
        for rank in (Rank(), Rank(0, 2), Rank(1, 2))
    ]  # fmt: skip
    for name, whole in losses[0].items():
        torch.testing.assert_close((losses[1][name] + losses[2][name]) / 2, whole)


def test_too_few_images_are_refused(codecs, data_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a step takes 8 images, and there are 5 beside 1"):
        train(small_settings(data_dir, tmp_path, codecs["semnoma"], images=6))


def test_command_refines_a_codec_and_the_evaluation_compares_both(
    codecs, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["shapes10", "--system", "semnoma-diffusion", "--preset", "smoke"]
    words += ["--data", str(data_dir), "--work", str(tmp_path), "--out", str(tmp_path / "refined")]
    for setting in (
        "images=40", f"init_from={codecs['semnoma']}", "stages.diffusion.batch=8", "threads=1",
        "diffusion.starts=[5]", "diffusion.snr_db=[0]", "diffusion.chosen_on=2",
    ):  # fmt: skip
        words += ["--set", setting]
    assert command.main(words) == 0
    assert "diffusion: done" in capsys.readouterr().err
    manifest = json.loads((tmp_path / "refined" / "manifest.json").read_text())
    assert manifest["name"] == "shapes10-smoke-semnoma-diffusion"
    assert "validation_noise_error" in manifest["training"]["stages"]["diffusion"]
    words = [str(codecs["semnoma"]), str(tmp_path / "refined"), "--data", str(data_dir)]
    assert evaluation._main([*words, "--images", "4", "--snr-db", "5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[2] for line in lines[1:]] == 2 * ["semnoma", "refined"]
    assert lines[1].split(" | ")[3] != lines[2].split(" | ")[3]
