"""Presets of `semcom train DATASET --family kd_semcom --preset NAME`.

`compact`    trainable on two cores with 200,000 sentences: teacher 8 epochs, the others 20.
`paper`      DeepSC's schedule, Adam at 1e-4 for 80 epochs; needs a GPU.
`literal`    `compact` with KL(student || teacher), the direction that eq. (26) prints.
`embedded`   small networks for drawn sentences, trained in about a minute.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchestrator.training.kd_semcom.given import check_given, lay_given_teacher
from orchestrator.training.kd_semcom.settings import (
    TABLE_I,
    DistillationTerms,
    SentenceStage,
    SentenceSystem,
    SentenceTrainingSettings,
    TextChannelSettings,
)
from orchestrator.training.overrides import laid_over
from orchestrator.training.settings import StageSettings
from semcom.errors import ConfigurationError
from semcom.families.kd_semcom import KdSemcomArchitecture
from semcom.names import check_name
from semcom.settings import validate
from semcom.shards import DatasetManifest

Fields = dict[str, Any]
CHANNELS: dict[SentenceStage, TextChannelSettings] = {
    "teacher": TextChannelSettings(snr_db_low=10.0, snr_db_high=15.0, interferers=3),
    "student": TextChannelSettings(snr_db_low=15.0, snr_db_high=18.0),
    "baseline": TextChannelSettings(snr_db_low=15.0, snr_db_high=18.0),
}


def compact() -> Fields:
    """AdamW with warm-up and cosine."""
    short = StageSettings(
        epochs=20, batch=128, lr=1e-3, beta2=0.98, warmup=0.05, max_gradient_norm=1.0
    )
    teacher = short.model_copy(update={"epochs": 8})
    return {"stages": {"teacher": teacher, "student": short, "baseline": short}}


def paper() -> Fields:
    """Adam at a constant rate, every sentence."""
    adam = StageSettings(epochs=80, batch=128, optimizer="adam", lr=1e-4, lr_end=1e-4, beta2=0.98)
    return {"stages": {"teacher": adam, "student": adam, "baseline": adam}}


def literal() -> Fields:
    """The divergence as printed."""
    return {**compact(), "distillation": {"direction": "literal"}}


def embedded() -> Fields:
    """Half the width and the layers, and short schedules."""
    short = StageSettings(
        epochs=6, batch=32, lr=3e-3, beta2=0.98, warmup=0.1, max_gradient_norm=1.0
    )
    return {
        "stages": {"teacher": short, "student": short, "baseline": short},
        "architecture": {"width": 64, "inner": 128, "heads": 4},
        "depth": 0.5,
        "dropout": 0.0,
        "transfer": 4_000,
    }


PRESETS: dict[str, Callable[[], Fields]] = {
    "compact": compact,
    "paper": paper,
    "literal": literal,
    "embedded": embedded,
}
# Students 3 and 4 follow at two more points (Table II).
MORE_POINTS = {"p": 0.1, "p_hat": 0.1}


def settings_from_preset(
    preset: str,
    manifest: DatasetManifest,
    *,
    name: str,
    system: SentenceSystem,
    overrides: Fields,
) -> SentenceTrainingSettings:
    """Return a preset for a system with `overrides` (nested, as in YAML) applied to it.

    Raises:
        ConfigurationError: an unknown preset, key or value, or a data set without sentences.
    """
    if preset not in PRESETS:
        raise ConfigurationError(f"unknown preset '{preset}'; available: {', '.join(PRESETS)}")
    if manifest.sentences is None:
        raise ConfigurationError(
            f"data set {manifest.name} has images, but kd_semcom is trained on sentences; "
            "prepare a text data set"
        )
    fields = PRESETS[preset]()
    sizes = fields.pop("architecture", {})
    depth = fields.pop("depth", 1.0)  # share of Table I's layers
    common = {"vocabulary": manifest.sentences.vocabulary, "tokens": manifest.sentences.longest + 1}
    layers, channel = TABLE_I[system]
    points = MORE_POINTS if system in ("student-3", "student-4") else {}
    terms = {**points, **fields.pop("distillation", {})}
    base = SentenceTrainingSettings(
        name=check_name(name, what="codec's --name"),
        dataset=manifest.name,
        system=system,
        architecture=KdSemcomArchitecture(
            layers=max(1, int(depth * layers)),
            channel=channel,
            precision="int8" if system == "student-4" else "fp16",
            **common,
            **sizes,
        ),
        teacher=KdSemcomArchitecture(layers=int(4 * depth), channel="wide", **common, **sizes),
        channels=CHANNELS,
        distillation=DistillationTerms(**terms),
        **fields,
    )
    merged = laid_over(base.model_dump(), overrides)
    lay_given_teacher(merged, overrides)
    settings = validate(SentenceTrainingSettings, merged, where="settings")
    check_given(settings, manifest)
    return settings
