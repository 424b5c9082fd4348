"""Presets of the family `semnoma`, as in `semcom train DATASET --system kd-semnoma`.

`compact`    0.28 M and 0.51 M parameters; trainable on two cores in hours with CIFAR-10.
`published`  the published sizes, losses and schedule; needs a GPU.
`embedded`   a quarter of `compact`, for synthetic sets; takes minutes.
`smoke`      `embedded` with the shortest schedules, to see the stages run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

from orchestrator.training.effects import Reasons, idle_moments, refuse_idle
from orchestrator.training.overrides import laid_over
from orchestrator.training.semnoma.settings import (
    SYSTEM_STAGES,
    LossSettings,
    SemnomaSettings,
    StageName,
    SystemName,
)
from orchestrator.training.settings import StageSettings
from semcom.errors import ConfigurationError
from semcom.families.semnoma import SHRINK, SemnomaArchitecture
from semcom.names import check_name
from semcom.settings import validate
from semcom.shards import DatasetManifest

Fields = dict[str, Any]
MIN_SIDE, MAX_SIDE = 12, 64
PUBLISHED_POSITIONS = (
    64  # positions of a received feature: the published affinity term is a sum over pairs
)


def compact(item: tuple[int, int, int]) -> Fields:
    """AdamW, 1e-3 to 1e-5 along a cosine, 64 slots per step; 30 epochs, 20 after the teacher."""
    return {
        "architecture": SemnomaArchitecture(item=item),
        "stages": _stages(
            StageSettings(epochs=30, batch=128, lr=1e-3, lr_end=1e-5, weight_decay=1e-4), after=20
        ),
    }


def published(item: tuple[int, int, int]) -> Fields:
    """Four times the width, attention blocks, absolute errors, 1e-4 with patience."""
    return {
        "architecture": SemnomaArchitecture(
            item=item, widths=(96, 192), blocks=(3, 3), attention=True, fusion=(4, 4), csi="own"
        ),
        "losses": LossSettings(
            image="mae",
            image_weight=10.0,
            affinity_weight=100.0 / PUBLISHED_POSITIONS**2,
            cross_weight=1.0,
        ),
        "stages": _stages(StageSettings(epochs=1000, batch=128, lr=1e-4, lr_end=1e-4), after=1000),
        "patience": 10,
    }


def embedded(item: tuple[int, int, int]) -> Fields:
    """Half the widths and one block each, for drawn images."""
    return {
        "architecture": SemnomaArchitecture(item=item, widths=(24, 48), blocks=(1, 1)),
        "stages": _stages(
            StageSettings(epochs=12, batch=64, lr=3e-3, lr_end=1e-5, weight_decay=1e-4), after=8
        ),
    }


def smoke(item: tuple[int, int, int]) -> Fields:
    """`embedded` on a few images."""
    stages = _stages(StageSettings(epochs=2, batch=64, lr=3e-3, lr_end=1e-5), after=1)
    return {**embedded(item), "stages": stages, "images": 1000}


PRESETS: dict[str, Callable[[tuple[int, int, int]], Fields]] = {
    "compact": compact,
    "published": published,
    "embedded": embedded,
    "smoke": smoke,
}


def settings_from_preset(
    preset: str,
    manifest: DatasetManifest,
    *,
    name: str,
    system: SystemName = "kd-semnoma",
    overrides: Fields,
) -> SemnomaSettings:
    """Return a preset for a system with `overrides` (nested, as in YAML) applied to it.

    Raises:
        ConfigurationError: an unknown preset, key or value, or images that do not fit.
    """
    if preset not in PRESETS:
        raise ConfigurationError(
            f"unknown preset '{preset}' of {system}; available: {', '.join(PRESETS)}"
        )
    side = manifest.image_size
    if side % SHRINK or not MIN_SIDE <= side <= MAX_SIDE:
        raise ConfigurationError(
            f"data set {manifest.name} has images of {side} pixels per side; {system} takes a "
            f"multiple of {SHRINK} from {MIN_SIDE} to {MAX_SIDE}: prepare it with another --size"
        )
    base = SemnomaSettings(
        name=check_name(name, what="codec's --name"),
        dataset=manifest.name,
        system=system,
        **PRESETS[preset]((side, side, 3)),
    )
    merged = laid_over(base.model_dump(), overrides)
    return validate(SemnomaSettings, merged, where="settings")


def _stages(first: StageSettings, *, after: int) -> dict[StageName, StageSettings]:
    """Return the same schedule for all stages, with `after` epochs after the teacher."""
    shorter = first.model_copy(update={"epochs": after})
    names: tuple[StageName, ...] = get_args(StageName)
    return {name: shorter if name == "kd_semnoma" else first for name in names}


def check_effects(
    settings: SemnomaSettings, *, written: Sequence[str], commanded: Sequence[str]
) -> None:
    """Check that all settings have an effect; the arguments are as for the paper's systems.

    Raises:
        ConfigurationError: a key has no effect; the text says why.
    """
    refuse_idle(written, _contradicted(settings))
    refuse_idle(commanded, _idle(settings))


def _contradicted(settings: SemnomaSettings) -> Reasons:
    """Return settings without effect because of other settings, whatever the command runs."""
    yield from idle_moments(settings.stages)


def _idle(settings: SemnomaSettings) -> Reasons:
    """Return the settings of stages that the command does not run."""
    runs, system = SYSTEM_STAGES[settings.system], settings.system
    for name in settings.stages:
        if name not in runs:
            yield f"stages.{name}", f"{system} has no stage {name}"
    if "kd_semnoma" not in runs:
        for key in ("affinity_weight", "cross_weight"):
            yield f"losses.{key}", f"{system} follows no teacher"
    if "teacher" not in runs:
        yield "teacher_power", f"{system} has no teacher"
