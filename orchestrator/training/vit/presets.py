"""Presets of the family `vit`: what `semcom train DATASET --system t-deepsc` starts from.

`compact`    images at their own size, 8 x 8 patches; T-DeepSC at 12 dB, RTSC at 5 to 20 dB.
`robust`     the same, T-DeepSC at -2 dB, RTSC at -10 to 20 dB.
`published`  T-DeepSC at 224 pixels, patches of 32, 384 wide; RTSC at 32 pixels; needs a GPU.
`smoke`      a narrow network on a few images, to see the stage run.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from orchestrator.training.effects import Reasons, idle_moments, refuse_idle
from orchestrator.training.overrides import laid_over
from orchestrator.training.settings import AugmentationSettings, StageSettings
from orchestrator.training.vit.settings import VitSettings
from semcom.architecture import InputSpec
from semcom.errors import ConfigurationError
from semcom.families.vit import VitArchitecture, VitSystem
from semcom.names import check_name
from semcom.settings import validate
from semcom.shards import DatasetManifest

Fields = dict[str, Any]
PRESETS = ("compact", "robust", "published", "smoke")
PATCHES = 8  # per side
SNRS_DB: dict[VitSystem, dict[bool, tuple[float, float]]] = {  # by whether it is `robust`
    "t-deepsc": {False: (12.0, 12.0), True: (-2.0, -2.0)},
    "rtsc": {False: (5.0, 20.0), True: (-10.0, 20.0)},
}
SCHEDULE = StageSettings(
    epochs=60, batch=128, lr=1e-3, warmup=0.05, weight_decay=0.05, max_gradient_norm=1.0
)


def architecture_of(preset: str, system: VitSystem, *, side: int, classes: int) -> VitArchitecture:
    """Return the architecture that a preset gives images of a size."""
    if system == "rtsc":
        size = 32 if preset == "published" else side
        return VitArchitecture(
            input=InputSpec(size=size),
            item=(size, size, 3),
            classes=classes,
            link="tokens",
            patch=size // PATCHES,
            receiver_layers=1,
            **_sizes(32 if preset == "smoke" else 128, layers=3, heads=4),
        )
    if preset == "published":
        size, patch, sizes = 224, 32, _sizes(384, layers=4, heads=6)
    elif preset == "smoke":
        size, patch, sizes = side, side // PATCHES, _sizes(48, layers=2, heads=3)
    else:
        size, patch, sizes = side, side // PATCHES, _sizes(192, layers=4, heads=3)
    return VitArchitecture(
        input=InputSpec(size=size),
        item=(size, size, 3),
        classes=classes,
        link="indices",
        patch=patch,
        receiver_layers=2,
        **sizes,
    )


def settings_from_preset(
    preset: str,
    manifest: DatasetManifest,
    *,
    name: str,
    system: VitSystem,
    overrides: Fields,
) -> VitSettings:
    """A preset for a system with `overrides` (nested, as from YAML) applied to it.

    Raises:
        ConfigurationError: an unknown preset, key or value, or images that do not fit.
    """
    if preset not in PRESETS:
        raise ConfigurationError(
            f"unknown preset '{preset}' of {system}; available: {', '.join(PRESETS)}"
        )
    if manifest.sentences is not None:
        raise ConfigurationError(
            f"data set {manifest.name} has sentences, but {system} is trained on images"
        )
    side = manifest.image_size
    if side % PATCHES:
        raise ConfigurationError(
            f"data set {manifest.name} has images of {side} pixels per side; {system} takes a "
            f"multiple of {PATCHES}: prepare it with another --size"
        )
    low_db, high_db = SNRS_DB[system][preset == "robust"]
    short = SCHEDULE.model_copy(update={"epochs": 2, "batch": 64})
    base = VitSettings(
        name=check_name(name, what="codec's --name"),
        dataset=manifest.name,
        system=system,
        architecture=architecture_of(preset, system, side=side, classes=len(manifest.classes)),
        augmentation=AugmentationSettings(crop_padding=side // PATCHES, flip="random"),
        snr_db_low=low_db,
        snr_db_high=high_db,
        stages={"vit": short if preset == "smoke" else SCHEDULE},
        images=1000 if preset == "smoke" else None,
    )
    merged = laid_over(base.model_dump(), overrides)
    return validate(VitSettings, merged, where="settings")


def check_effects(
    settings: VitSettings, *, written: Sequence[str], commanded: Sequence[str]
) -> None:
    """See that what was asked for has an effect; the arguments are those of the paper's systems.

    Raises:
        ConfigurationError: a key has none; the text says why.
    """
    refuse_idle(written, idle_moments(settings.stages))
    refuse_idle(commanded, _idle(settings))


def _idle(settings: VitSettings) -> Reasons:
    """Return the settings that this link does not have."""
    if settings.architecture.link != "indices":
        yield "commitment", f"a link of {settings.architecture.link} has no codebook"


SYSTEMS: tuple[VitSystem, ...] = get_args(VitSystem)


def _sizes(width: int, *, layers: int, heads: int) -> dict[str, int]:
    return {"width": width, "layers": layers, "heads": heads, "inner": 4 * width}
