"""Presets of refinements, as in `semcom train DATASET --system semnoma-diffusion`.

`compact`   a U-Net of 0.70 M parameters; CIFAR-10 in hours on a CPU.
`embedded`  half its width, for synthetic sets; takes minutes.
`smoke`     a quarter, with the shortest schedules, to see the stages run; needs no weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from orchestrator.training.effects import Reasons, idle_moments, refuse_idle
from orchestrator.training.overrides import laid_over
from orchestrator.training.semnoma.refinement.criteria import check_criterion
from orchestrator.training.semnoma.refinement.settings import (
    DiffusionSettings,
    RefinedSystem,
    RefinementSettings,
    RefinementStageName,
)
from orchestrator.training.settings import StageSettings
from semcom.checkpoints import Checkpoint, codec_folder, open_checkpoint
from semcom.codec_manifest import FamilyManifest
from semcom.errors import ConfigurationError
from semcom.families.semnoma import SemnomaCodecArchitecture
from semcom.families.semnoma_refinement import UnetArchitecture
from semcom.names import check_name
from semcom.settings import validate
from semcom.shards import DatasetManifest

Fields = dict[str, Any]


def compact() -> Fields:
    """20 epochs each: the prior by AdamW from 1e-3 along a cosine, the GAN by Adam at 2e-4."""
    return {"stages": _stages(epochs=20, batch=128)}


def embedded() -> Fields:
    """Half the width, for synthetic images."""
    return {"unet": UnetArchitecture(width=16), "stages": _stages(epochs=10, batch=64)}


def smoke() -> Fields:
    """A quarter of the width on a few images."""
    return {
        "unet": UnetArchitecture(width=8),
        "stages": _stages(epochs=2, batch=64),
        "diffusion": DiffusionSettings(chosen_on=16, criterion="ssim"),
        "images": 1000,
    }


PRESETS: dict[str, Callable[[], Fields]] = {
    "compact": compact,
    "embedded": embedded,
    "smoke": smoke,
}


def settings_from_preset(
    preset: str,
    manifest: DatasetManifest,
    *,
    name: str,
    system: RefinedSystem,
    overrides: Fields,
) -> RefinementSettings:
    """Return a preset with `overrides` (nested, as in YAML) applied to it.

    Raises:
        ConfigurationError: an unknown preset, key or value, or a codec that does not fit.
        CheckpointError: the codec is missing, or its manifest is not valid.
    """
    if preset not in PRESETS:
        raise ConfigurationError(
            f"unknown preset '{preset}' of {system}; available: {', '.join(PRESETS)}"
        )
    if overrides.get("init_from") is None:
        raise ConfigurationError(
            f"{system}: name the codec whose images are refined: --set init_from=CODEC"
        )
    base = RefinementSettings(
        name=check_name(name, what="codec's --name"),
        dataset=manifest.name,
        system=system,
        init_from=Path(),
        **PRESETS[preset](),
    )
    merged = laid_over(base.model_dump(), overrides)
    settings = validate(RefinementSettings, merged, where="settings")
    _check_codec(open_refined(settings.init_from), manifest)
    return settings


def open_refined(init_from: Path) -> Checkpoint:
    """Open the codec whose images are refined.

    Raises:
        CheckpointError: it is missing, or its manifest is not valid.
    """
    return open_checkpoint(codec_folder(init_from))


def architecture_of(codec: Checkpoint) -> SemnomaCodecArchitecture:
    """Return the architecture of a codec of the family."""
    assert isinstance(codec.manifest, FamilyManifest)
    return SemnomaCodecArchitecture.model_validate(codec.manifest.architecture)


def _check_codec(codec: Checkpoint, dataset: DatasetManifest) -> None:
    manifest, folder = codec.manifest, codec.folder
    if not isinstance(manifest, FamilyManifest) or manifest.family_name != "semnoma":
        raise ConfigurationError(f"init_from: codec {folder} is not of the family semnoma")
    architecture = architecture_of(codec)
    if architecture.refinement is not None:
        raise ConfigurationError(
            f"init_from: {folder} is already refined, by {architecture.refinement.kind}; name "
            "the codec from which it was created"
        )
    if manifest.dataset != dataset.name:
        raise ConfigurationError(
            f"init_from: {folder} is for {manifest.dataset}, not for {dataset.name}"
        )
    if architecture.item[0] != dataset.image_size:
        raise ConfigurationError(
            f"init_from: {folder} takes images of {architecture.item[0]} pixels per side, those of "
            f"{dataset.name} have {dataset.image_size}"
        )


def _stages(*, epochs: int, batch: int) -> dict[RefinementStageName, StageSettings]:
    return {
        "diffusion": StageSettings(
            epochs=epochs, batch=batch, lr=1e-3, lr_end=1e-5, warmup=0.02, max_gradient_norm=1.0
        ),
        "cgan": StageSettings(
            epochs=epochs, batch=batch, optimizer="adam", lr=2e-4, lr_end=2e-4, beta1=0.5
        ),
    }


def check_effects(
    settings: RefinementSettings, *, written: Sequence[str], commanded: Sequence[str]
) -> None:
    """Check that all settings have an effect, and that required weights exist.

    Raises:
        ConfigurationError: a key has no effect, or weights are missing; the text says why.
    """
    refuse_idle(written, idle_moments(settings.stages))
    refuse_idle(commanded, _idle(settings))
    if settings.stage == "diffusion":
        check_criterion(settings.diffusion.criterion, settings.data_dir)


def _idle(settings: RefinementSettings) -> Reasons:
    """Yield keys of parts that the command does not run."""
    for name in ("diffusion", "cgan"):
        if name != settings.stage:
            for key in (name, f"stages.{name}"):
                yield key, f"{settings.system} has no stage {name}"
