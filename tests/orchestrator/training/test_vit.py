"""Training of T-DeepSC and RTSC: presets as specified, losses, a stage that resumes, a codec."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from orchestrator.training.arguments import parse, settings_of
from orchestrator.training.data import EpochKey
from orchestrator.training.reference import evaluate
from orchestrator.training.stop import StoppedError
from orchestrator.training.training_link import Conditions
from orchestrator.training.vit.export import export_codec
from orchestrator.training.vit.link import VitLink
from orchestrator.training.vit.pipeline import TrainedVit, VitPipeline
from orchestrator.training.vit.presets import architecture_of, settings_from_preset
from orchestrator.training.vit.settings import VitSettings
from orchestrator.training.vit.stages import VitStage
from semcom.errors import ConfigurationError, SemcomError
from semcom.points import ChannelSettings, PointSpec
from semcom.shards import Shard, read_manifest
from tests.orchestrator.training.harness import run_here

SYSTEMS = ("t-deepsc", "rtsc")
LINKS = {"t-deepsc": ("indices", "class-token"), "rtsc": ("tokens",)}
SMALL = {
    "images": 64,
    "precision": "fp32",
    "stages": {"vit": {"epochs": 2, "batch": 16}},
    "architecture": {
        "width": 24, "heads": 3, "inner": 32, "layers": 1, "receiver_width": 16,
        "receiver_inner": 16, "receiver_layers": 1,
    },
}  # fmt: skip
STEPS = 8


def small(data_dir: Path, work_dir: Path, system: str = "t-deepsc", **overrides: Any):
    laid = {**SMALL, "data_dir": data_dir, "work_dir": work_dir, **overrides}
    manifest = read_manifest(data_dir / "shapes10")
    return settings_from_preset("compact", manifest, name="tiny", system=system, overrides=laid)


def train(settings: VitSettings, stop_after: int | None = None) -> tuple[TrainedVit, list[Any]]:
    told: list[Any] = []
    run = run_here(settings.seed, stop_after)
    trained = VitPipeline(settings, run).train(lambda stage, ran: told.append((stage, ran)))
    assert trained is not None
    return trained, told


def weights(trained: TrainedVit) -> np.ndarray:
    return np.concatenate([each.flatten().numpy() for each in trained.link.state_dict().values()])


@pytest.mark.parametrize(
    ("preset", "system", "snrs_db"),
    [
        ("compact", "t-deepsc", (12, 12)),
        ("robust", "t-deepsc", (-2, -2)),
        ("compact", "rtsc", (5, 20)),
        ("robust", "rtsc", (-10, 20)),
    ],
)
def test_presets_are_those_of_the_specification(data_dir, preset, system, snrs_db):
    words = ["shapes10", "--data", str(data_dir), "--preset", preset, "--system", system]
    settings = settings_of(parse(words))
    assert isinstance(settings, VitSettings)
    assert (settings.snr_db_low, settings.snr_db_high) == snrs_db
    schedule = settings.stages["vit"]
    assert (schedule.optimizer, schedule.lr, schedule.epochs, schedule.batch) == (
        "adamw", 1e-3, 60, 128,
    )  # fmt: skip
    assert settings.architecture.patches == 64
    assert settings.architecture.symbols == {"t-deepsc": 20, "rtsc": 256}[system]


def test_compact_t_deepsc_encodes_with_1_8_million_parameters():
    made_of = architecture_of("compact", "t-deepsc", side=32, classes=10)
    assert made_of.counted()["encoder"] == 1_789_440
    published = architecture_of("published", "t-deepsc", side=32, classes=10)
    assert sum(published.counted().values()) == 8_880_554


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_stopped_run_resumes_to_the_same_bits(data_dir, tmp_path, system):
    whole, told = train(small(data_dir, tmp_path / "whole", system))
    assert told == [("vit", True)]
    settings = small(data_dir, tmp_path / "stopped", system)
    with pytest.raises(StoppedError):
        train(settings, stop_after=STEPS - 3)
    again, _ = train(settings)
    np.testing.assert_array_equal(weights(again), weights(whole))
    taken, told = train(settings)
    assert told == [("vit", False)]
    np.testing.assert_array_equal(weights(taken), weights(whole))


@pytest.mark.parametrize(
    ("system", "link"), [(system, link) for system, links in LINKS.items() for link in links]
)
def test_codec_is_written_evaluated_and_records_how_it_was_made(data_dir, tmp_path, system, link):
    settings = small(data_dir, tmp_path / "work", system, architecture={
        **SMALL["architecture"], "link": link,
    })  # fmt: skip
    trained, _ = train(settings)
    reported: list[tuple[int, int]] = []
    codec = export_codec(
        trained, tmp_path / "tiny", command="semcom train", ranks=1, bf16=False,
        report=lambda done, total: reported.append((done, total)),
    )  # fmt: skip
    codec.verify()
    manifest = codec.manifest
    assert (manifest.system, manifest.family.name) == (system, "vit")
    assert manifest.symbols == {"indices": 20, "class-token": 8, "tokens": 256}[link]
    assert manifest.architecture["parameters"] == settings.architecture.counted()
    assert set(manifest.results["awgn_accuracy_by_snr_db"]) == {"-10", "0", "10", "25"}
    assert set(manifest.training["construction"]) >= {"layer", "encoder", "indices", "decoder"}
    assert reported[-1] == (5, 5)
    point = PointSpec(snr_db=6.0, channel=ChannelSettings(model="rayleigh"))
    shard = Shard(data_dir / "shapes10", "test")
    found = evaluate(codec, shard, point, link="a", images=20, frame_images=10)
    assert 0 <= found.value <= 1


def batch_of(settings: VitSettings):
    images = VitPipeline(settings, run_here()).images
    key = EpochKey(0, "vit", 0)
    rank = run_here().rank
    return images.epoch(settings.augmentation, key=key, batch=16, views=False, rank=rank)[0]


def test_gradient_passes_the_quantiser_and_both_distances_are_weighted(data_dir, tmp_path):
    settings = small(data_dir, tmp_path, commitment=0.5)
    torch.manual_seed(0)
    link = VitLink(settings.architecture)
    stage = VitStage(lambda images: images.permute(0, 3, 1, 2).float() / 255.0, link, settings)
    terms = stage(batch_of(settings))
    assert set(terms) == {"task", "commitment", "codebook"}
    assert terms["commitment"].item() == pytest.approx(0.5 * terms["codebook"].item())
    terms["task"].backward(retain_graph=True)
    sender = link.transmitter.channel_encoder
    assert sender.linear.weight.grad is not None
    assert bool(sender.linear.weight.grad.any())
    assert sender.codebook.grad is None, "the task moves no codeword"
    terms["codebook"].backward()
    assert bool(sender.codebook.grad.any())


def test_receiver_ends_with_the_codebook_of_the_transmitter(data_dir, tmp_path):
    trained, _ = train(small(data_dir, tmp_path))
    link = trained.link
    assert torch.equal(link.receiver.decoder.codebook, link.transmitter.channel_encoder.codebook)


def test_without_noise_the_training_link_answers_as_the_codec(data_dir, tmp_path):
    trained, _ = train(small(data_dir, tmp_path))
    link = trained.link.eval()
    images = torch.rand(6, 3, 32, 32)
    conditions = Conditions(
        snr_db_B=torch.full((6,), 60.0), channel=ChannelSettings(model="awgn"), key="k"
    )
    with torch.inference_mode():
        logits = link(images, conditions).logits_BT
        symbols = link.transmitter.channel_encoder(link.transmitter.encoder(images))
        expected = link.receiver.head(link.receiver.decoder(symbols))
    torch.testing.assert_close(logits, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize(
    ("system", "words", "why"),
    [
        ("rtsc", ["commitment=0.5"], "has no codebook"),
        ("rtsc", ["architecture.link=indices"], "indices is not of rtsc"),
        ("t-deepsc", ["snr_db_low=20"], "snr_db_low is above snr_db_high"),
        ("t-deepsc", ["augmentation.views=2"], "leave it at 0"),
        ("t-deepsc", ["stages.vit.momentum=0.5"], "has none of its own"),
        ("t-deepsc", ["architecture.heads=5"], "over 5 heads"),
    ],
)
def test_settings_that_have_no_effect_or_do_not_fit_are_refused(data_dir, system, words, why):
    given = [each for word in words for each in ("--set", word)]
    with pytest.raises(SemcomError, match=why):
        settings_of(parse(["shapes10", "--data", str(data_dir), "--system", system, *given]))


def test_too_few_images_are_refused_in_one_line(data_dir, tmp_path):
    settings = small(data_dir, tmp_path, images=8)
    with pytest.raises(ConfigurationError, match="a step takes 16 images, but there are only 8"):
        VitPipeline(settings, run_here())
