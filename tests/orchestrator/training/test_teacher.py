"""Teachers: the compact one's start, cut-outs, and timm's by a local file in CLIP's own layout."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from orchestrator.training.data import AugmentationSettings, Epoch, EpochKey, ImageSet
from orchestrator.training.export import export_codec
from orchestrator.training.presets import settings_from_preset
from orchestrator.training.ranks import share_batch_norms
from orchestrator.training.settings import TeacherSettings, TrainingSettings
from orchestrator.training.stage_identity import weights_digest
from orchestrator.training.stages import cut_out
from orchestrator.training.teacher import Teacher, make_teacher_encoder
from semcom.architecture import (
    TABLE_III_DEPTHS,
    ConvEncoderArchitecture,
    InputSpec,
    TimmEncoderArchitecture,
)
from semcom.errors import CheckpointError, ConfigurationError
from semcom.shards import DatasetManifest, SplitManifest
from tests.orchestrator.training.harness import small_settings, train
from transmitters.codec import TransmitterCodec
from transmitters.conv_encoder import ConvEncoder, Whitening

timm = pytest.importorskip("timm")

SMALL = ConvEncoderArchitecture(
    input=InputSpec(size=32), blocks=((8,), (16, 16)), hidden=32, feature_dim=16
)
VIT = {"width": 768, "layers": 12, "patch": 16, "out": 512}
CLIP = TimmEncoderArchitecture(input=InputSpec(size=224), model="vit_base_patch16_clip_224.openai")


def test_whitened_patches_have_unit_variance_and_no_correlation() -> None:
    torch.manual_seed(0)
    smooth = torch.nn.functional.avg_pool2d(torch.randn(400, 3, 36, 36), 5, stride=1)
    layer = Whitening(stride=1)
    layer.fit(smooth)
    assert not layer.weight.requires_grad
    plain = torch.nn.functional.conv2d(smooth, layer.weight[:12], stride=2)
    values = plain.permute(1, 0, 2, 3).flatten(1)
    covariance = torch.cov(values.double())
    kept = covariance.diagonal() > 0.5  # directions without energy stay without
    assert 3 <= int(kept.sum()) <= 12
    assert torch.allclose(covariance[kept][:, kept], torch.eye(int(kept.sum())).double(), atol=0.25)


def test_identity_start_hands_the_first_channels_on() -> None:
    encoder = make_teacher_encoder(TeacherSettings(encoder=SMALL))
    assert isinstance(encoder, ConvEncoder)
    second = [m for m in encoder.trunk.modules() if isinstance(m, torch.nn.Conv2d)][2]
    x = torch.rand(2, second.in_channels, 5, 5)
    torch.testing.assert_close(second(x)[:, : second.in_channels], x)


@pytest.mark.parametrize(
    ("dataset", "classes", "size"),
    [("cifar10", 10, 32), ("cifar100", 100, 32), ("tiny-imagenet", 200, 64)],
)
def test_the_compact_teacher_is_clearly_larger_than_all_that_a_transmitter_runs(
    dataset: str, classes: int, size: int
) -> None:
    settings = compact_settings(dataset, classes=classes, size=size)
    teacher = Teacher(settings.teacher, classes=classes).encoder
    codec = TransmitterCodec(settings.architecture)
    both = sum(p.numel() for m in codec.modules.values() for p in m.parameters())
    assert both < 0.15 * sum(p.numel() for p in teacher.parameters())


def test_any_timm_model_teaches_and_sends_as_jscc_teacher(data_dir: Path, tmp_path: Path) -> None:
    encoder = {"kind": "timm", "model": "test_resnet"}
    teacher = {"encoder": encoder, "pretrained": False}
    settings = small_settings(data_dir, tmp_path, system="jscc-teacher", teacher=teacher)
    assert settings.architecture.encoder == settings.teacher.encoder
    assert settings.teacher.encoder.feature_dim == 128  # the preset's, as its input
    trained, told = train(settings)
    assert [stage for stage, ran in told if ran] == ["teacher", "jscc"]
    codec = export_codec(
        trained,
        tmp_path / "codec",
        command="",
        ranks=1,
        bf16=False,
        report=lambda done, total: None,
    )
    images = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), dtype=np.uint8)
    sent = TransmitterCodec.load(codec).encode(images, snr_db=0.0)
    assert sent.shape == (3, 64)
    np.testing.assert_allclose((np.abs(sent) ** 2).mean(axis=1), 1.0, rtol=1e-4)


def test_a_pretrained_teacher_is_tuned_gently_as_jscc_teacher() -> None:
    settings = compact_settings("cifar10", classes=10, size=32, system="jscc-teacher")
    tuned = compact_settings(
        "cifar10", classes=10, size=32, system="jscc-teacher", preset="paper"
    ).stages["jscc"]
    assert settings.stages["jscc"].lr == 0.01
    assert (tuned.optimizer, tuned.lr, tuned.epochs) == ("adam", 1e-5, 10)


def test_the_depths_of_plain_darts_are_a_setting() -> None:
    overrides = {"depths": "darts"}
    settings = compact_settings("cifar10", classes=10, size=32, overrides=overrides)
    assert settings.architecture.encoder.depths == TABLE_III_DEPTHS["darts", "cifar10"]


def test_another_file_of_weights_is_another_teacher(tmp_path: Path) -> None:
    paths = [tmp_path / folder / "clip.pt" for folder in "ab"]
    for path in paths:
        path.parent.mkdir()
        path.write_bytes(path.parent.name.encode() * 9)
    digests = {
        weights_digest(
            compact_settings(
                "cifar10",
                classes=10,
                size=32,
                preset="paper",
                overrides={"teacher": {"weights": path}},
            )
        )
        for path in paths
    }
    assert len(digests) == 2


def test_compact_takes_as_many_steps_with_a_larger_set() -> None:
    def epochs(images: int) -> dict[str, int]:
        settings = compact_settings("cifar100", classes=100, size=32, images=images)
        return {name: stage.epochs for name, stage in settings.stages.items()}

    assert epochs(3_000) == epochs(50_000)
    halved = {name: math.ceil(count / 2) for name, count in epochs(50_000).items()}
    assert epochs(100_000) == halved


def compact_settings(
    dataset: str, *, classes: int, size: int, images: int = 50_000, **options: Any
) -> TrainingSettings:
    """The preset, `compact` where none is named, for a set of that shape."""
    manifest = DatasetManifest(
        name=dataset,
        image_size=size,
        classes=[f"class {number}" for number in range(classes)],
        source="a test",
        splits={"train": SplitManifest(images=images, sha256="0" * 64)},
    )
    options = {"preset": "compact", "overrides": {}, **options}
    return settings_from_preset(manifest=manifest, name="x", **options)


def test_cut_outs_remove_one_keyed_square(data_dir: Path) -> None:
    images = ImageSet(data_dir / "shapes10", "train", limit=64)
    key = EpochKey(0, "teacher", 0)
    batch = Epoch(images, AugmentationSettings(), key=key, batch=32, views=False)[0]
    ones = torch.ones(32, 3, 32, 32)
    cut = cut_out(ones, 8, batch)
    assert torch.equal(cut, cut_out(ones, 8, batch))
    gone = (cut == 0).all(dim=1)
    assert (gone.flatten(1).sum(dim=1) == 64).all()
    assert (gone.any(dim=2).sum(dim=1) == 8).all()
    assert len({tuple(image.nonzero()[0].tolist()) for image in gone}) > 10


def openai_clip_state() -> dict[str, torch.Tensor]:
    """Random weights under the names and in the shapes of OpenAI's CLIP ViT-B/16."""
    width, patch, out = VIT["width"], VIT["patch"], VIT["out"]
    generator = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> torch.Tensor:
        return torch.randn(shape, generator=generator) * 0.02

    state = {
        "visual.class_embedding": draw(width),
        "visual.positional_embedding": draw((224 // patch) ** 2 + 1, width),
        "visual.proj": draw(width, out),
        "visual.conv1.weight": draw(width, 3, patch, patch),
        "logit_scale": torch.tensor(1.0),
    }
    for name in ("ln_pre", "ln_post"):
        state |= {f"visual.{name}.weight": draw(width) + 1, f"visual.{name}.bias": draw(width)}
    for layer in range(VIT["layers"]):
        at = f"visual.transformer.resblocks.{layer}"
        state |= {
            f"{at}.attn.in_proj_weight": draw(3 * width, width),
            f"{at}.attn.in_proj_bias": draw(3 * width),
            f"{at}.attn.out_proj.weight": draw(width, width),
            f"{at}.attn.out_proj.bias": draw(width),
            f"{at}.mlp.c_fc.weight": draw(4 * width, width),
            f"{at}.mlp.c_fc.bias": draw(4 * width),
            f"{at}.mlp.c_proj.weight": draw(width, 4 * width),
            f"{at}.mlp.c_proj.bias": draw(width),
        }
        for name in ("ln_1", "ln_2"):
            state |= {f"{at}.{name}.weight": draw(width) + 1, f"{at}.{name}.bias": draw(width)}
    return state


@pytest.mark.timeout(120)
def test_clip_vit_b16_is_loaded_from_a_local_file_in_openais_layout(tmp_path: Path) -> None:
    state = openai_clip_state()
    path = tmp_path / "clip.safetensors"
    save_file(state, path)
    teacher = Teacher(TeacherSettings(encoder=CLIP, weights=path), classes=10)
    encoder: Any = teacher.encoder
    # 86,192,640 in the paper's counting: timm's projection has a bias of 512 zeros beside it.
    assert sum(p.numel() for p in encoder.parameters()) == 86_192_640 + 512
    torch.testing.assert_close(encoder.head.weight, state["visual.proj"].T)
    torch.testing.assert_close(encoder.patch_embed.proj.weight, state["visual.conv1.weight"])
    torch.testing.assert_close(
        encoder.blocks[11].attn.qkv.weight,
        state["visual.transformer.resblocks.11.attn.in_proj_weight"],
    )
    with torch.no_grad():
        features, logits = teacher.eval()(torch.randn(1, 3, 224, 224))
    assert features.shape == (1, 512)
    assert logits.shape == (1, 10)


def test_wrong_weights_and_models_are_one_line(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.safetensors"
    save_file({"visual.conv1.weight": torch.zeros(3)}, wrong)
    small = CLIP.model_copy(update={"model": "vit_tiny_patch16_224", "feature_dim": 8})
    with pytest.raises(CheckpointError, match="has no weights for 'cls_token'"):
        make_teacher_encoder(TeacherSettings(encoder=small, weights=wrong))
    with pytest.raises(CheckpointError, match="no file of weights"):
        make_teacher_encoder(TeacherSettings(encoder=small, weights=tmp_path / "none"))
    unknown = CLIP.model_copy(update={"model": "vit_unheard_of"})
    with pytest.raises(ConfigurationError, match="has no model 'vit_unheard_of'"):
        make_teacher_encoder(TeacherSettings(encoder=unknown))


def test_a_frozen_teacher_needs_a_feature_of_its_own(tmp_path: Path) -> None:
    encoder = CLIP.model_copy(update={"model": "resnet50"})
    frozen = TeacherSettings(encoder=encoder, weights=tmp_path / "any", fine_tune=False)
    with pytest.raises(ConfigurationError, match="'resnet50' has no output of 512 numbers"):
        make_teacher_encoder(frozen)


def test_models_with_stochastic_depth_leave_nothing_out() -> None:
    small = CLIP.model_copy(update={"model": "tiny_vit_5m_224", "feature_dim": 8})
    encoder = make_teacher_encoder(TeacherSettings(encoder=small, pretrained=False)).train()
    images = torch.rand(2, 3, 224, 224)
    with torch.no_grad():
        assert torch.equal(encoder(images), encoder(images))


def test_batch_norms_that_ranks_cannot_share_are_refused_where_they_are_trained() -> None:
    network = timm.create_model("mobilenetv3_small_050", pretrained=False)
    with pytest.raises(ConfigurationError, match="cannot share a BatchNormAct2d"):
        share_batch_norms(network)
    share_batch_norms(network.requires_grad_(False))
