"""Presets: what `semcom train DATASET --preset NAME` starts from.

`compact`   native resolution, the paper's stages and feature width; what a CPU can train.
`embedded`  half the width and a quarter of the feature, for the procedurally drawn sets.
`smoke`     `embedded` with the shortest schedules, to see the pipeline run.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.training.settings import (
    DistillationSettings,
    StageName,
    StageSettings,
    TeacherArchitecture,
    TrainingSettings,
)
from semcom.architecture import (
    TABLE_III_DEPTHS,
    ChannelCodecArchitecture,
    CodecArchitecture,
    Depths,
    EncoderArchitecture,
    InputSpec,
)
from semcom.errors import ConfigurationError
from semcom.shards import DatasetManifest

# Table III and section IV-A; the drawn sets stand in for the data set of the same difficulty.
STANDS_FOR = {"shapes10": "cifar10", "shapes100": "cifar100", "shapes200": "tiny-imagenet"}
COMPRESSION_RATIO = {"cifar10": 0.8, "cifar100": 0.2, "tiny-imagenet": 0.1}
ROBUST = DistillationSettings(snr_db_low=-10.0, snr_db_high=20.0)


def compact(manifest: DatasetManifest) -> dict[str, Any]:
    """Native resolution with the depths of Table III, short schedules, SNR ~ U(-10, 20) dB."""
    name = STANDS_FOR.get(manifest.name, manifest.name)
    stages: dict[StageName, StageSettings] = {
        "teacher": StageSettings(
            epochs=12, batch=256, optimizer="sgd", lr=0.2, warmup=0.2, weight_decay=5e-4
        ),
        "stage1": StageSettings(epochs=13, lr=2e-3, lr_end=1e-5, warmup=0.1, weight_decay=0.02),
        "head": StageSettings(epochs=1, lr=2e-3),
        "stage2": StageSettings(epochs=10, lr=1e-3, lr_end=1e-6, warmup=0.1, weight_decay=0.02),
    }
    return {
        "architecture": CodecArchitecture(
            encoder=EncoderArchitecture(
                input=InputSpec(size=manifest.image_size),
                depths=TABLE_III_DEPTHS["kdl-darts", name],
                stem_conv_stride=1 if manifest.image_size < 64 else 2,
            ),
            channel=ChannelCodecArchitecture(
                ffn_dim=512, compression_ratio=COMPRESSION_RATIO[name]
            ),
            classes=len(manifest.classes),
        ),
        "stages": stages,
        "distillation": ROBUST,
    }


def embedded(manifest: DatasetManifest) -> dict[str, Any]:
    """Small enough to ship three codecs in a few megabytes and to train them in minutes."""
    name = STANDS_FOR.get(manifest.name, manifest.name)
    depths: Depths = (1, 2, 2, 1)
    stages: dict[StageName, StageSettings] = {
        "teacher": StageSettings(
            epochs=10, batch=128, optimizer="sgd", lr=0.1, warmup=0.2, weight_decay=5e-4
        ),
        "stage1": StageSettings(epochs=12, lr=3e-3, lr_end=1e-5, warmup=0.1, weight_decay=0.02),
        "head": StageSettings(epochs=1, lr=3e-3),
        "stage2": StageSettings(epochs=8, lr=2e-3, lr_end=1e-6, warmup=0.1, weight_decay=0.02),
    }
    return {
        "architecture": CodecArchitecture(
            encoder=EncoderArchitecture(
                input=InputSpec(size=manifest.image_size),
                depths=depths,
                width=0.5,
                stem_conv_stride=1 if manifest.image_size < 64 else 2,
                feature_dim=128,
            ),
            channel=ChannelCodecArchitecture(
                feature_dim=128, ffn_dim=256, compression_ratio=COMPRESSION_RATIO[name]
            ),
            classes=len(manifest.classes),
        ),
        "teacher": TeacherArchitecture(channels=(32, 64, 128, 256), residual=True),
        "stages": stages,
        "distillation": ROBUST,
    }


def smoke(manifest: DatasetManifest) -> dict[str, Any]:
    """One epoch a stage."""
    fields = embedded(manifest)
    fields["stages"] = {
        name: stage.model_copy(update={"epochs": 1}) for name, stage in fields["stages"].items()
    }
    return fields


PRESETS: dict[str, Callable[[DatasetManifest], dict[str, Any]]] = {
    "compact": compact,
    "embedded": embedded,
    "smoke": smoke,
}


def settings_from_preset(
    preset: str, manifest: DatasetManifest, *, name: str, overrides: dict[str, Any]
) -> TrainingSettings:
    """A preset with `overrides` (nested, as from YAML) laid over it.

    Raises:
        ConfigurationError: an unknown preset, key or value.
    """
    if preset not in PRESETS:
        raise ConfigurationError(f"unknown preset '{preset}'; there are: {', '.join(PRESETS)}")
    base = TrainingSettings(name=name, dataset=manifest.name, **PRESETS[preset](manifest))
    return TrainingSettings.model_validate(_laid_over(base.model_dump(), overrides))


def _laid_over(base: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    merged = dict(base)
    for key, value in overrides.items():
        inner = merged.get(key)
        both = isinstance(inner, dict) and isinstance(value, dict)
        merged[key] = _laid_over(inner, value) if both and inner is not None else value
    return merged
