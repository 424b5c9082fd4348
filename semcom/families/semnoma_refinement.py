"""Refinements of the images of a codec of the family `semnoma`, after its decoders.

    diffusion   a denoising prior: noise up to a step t0, chosen by the SNR, is added and removed
    cgan        a network adds a correction to the image, given the SNR

Both hold a U-Net; its arrays are derived here (no torch).
"""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from semcom.families.array_names import Specs, layer_specs, norm_specs

NORM_GROUPS = 8
MULTIPLIERS = (1, 2, 2)  # of the width, at the image's side, a half and a quarter of it
EMBEDDING = 4  # widths of the embedded time
HIGHEST_STEP = 1000  # T of the diffusion
COLOURS = 3
UnetWidth = Annotated[int, Field(ge=8, le=256, multiple_of=NORM_GROUPS)]
Step = Annotated[int, Field(ge=0, le=HIGHEST_STEP)]


class UnetArchitecture(BaseModel):
    """A U-Net with a residual block at each level on the way down, in the middle and back up."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    width: UnetWidth = Field(default=32, description="channels at the full resolution of the image")

    @property
    def levels(self) -> tuple[int, ...]:
        """Channels of each level, the image's side first."""
        return tuple(self.width * multiplier for multiplier in MULTIPLIERS)


class Start(BaseModel):
    """Step at which the diffusion starts at an SNR; 0: the image is unchanged."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    snr_db: float = Field(ge=-60, le=60)
    step: Step


class DiffusionRefinement(BaseModel):
    """A noise-predicting U-Net, and the table of starts, of which the nearest SNR is used."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["diffusion"] = "diffusion"
    unet: UnetArchitecture = UnetArchitecture()
    starts: tuple[Start, ...] = Field(min_length=1, max_length=1000)
    ddim_steps: int = Field(default=10, ge=1, le=HIGHEST_STEP)

    @model_validator(mode="after")
    def _ascending(self) -> Self:
        snrs_db = [start.snr_db for start in self.starts]
        if snrs_db != sorted(set(snrs_db)):
            raise ValueError("starts: SNRs must ascend, each once")
        return self

    def start_at(self, snr_db: float) -> int:
        """Return t0 of the nearest SNR in the table; of two equally near ones, the lower."""
        return min(self.starts, key=lambda start: (abs(start.snr_db - snr_db), start.snr_db)).step


class GanRefinement(BaseModel):
    """A U-Net of image and SNR plane, whose output is added to the image."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Literal["cgan"] = "cgan"
    unet: UnetArchitecture = UnetArchitecture()
    snr_db: tuple[float, float] = Field(default=(0.0, 20.0))  # it sees no SNR beyond it


Refinement = Annotated[DiffusionRefinement | GanRefinement, Field(discriminator="kind")]


def refinement_specs(refinement: DiffusionRefinement | GanRefinement) -> Specs:
    """Return the arrays of a refinement, by name."""
    timed = isinstance(refinement, DiffusionRefinement)
    yield from _unet(refinement.unet, "refiner.unet", timed=timed)


def _unet(architecture: UnetArchitecture, name: str, *, timed: bool) -> Specs:
    levels = architecture.levels
    time = EMBEDDING * architecture.width if timed else 0
    if timed:
        yield from layer_specs(f"{name}.time.0", (time, architecture.width))
        yield from layer_specs(f"{name}.time.2", (time, time))
    inputs = COLOURS if timed else COLOURS + 1
    yield from layer_specs(f"{name}.enter", (levels[0], inputs, 3, 3))
    before = levels[0]
    for level, channels in enumerate(levels):
        yield from _block(f"{name}.down.{level}", (before, channels), time)
        before = channels
    for level, channels in enumerate(levels[:-1]):
        yield from layer_specs(f"{name}.shrink.{level}", (channels, channels, 3, 3))
        yield from layer_specs(f"{name}.grow.{level}", (levels[level + 1],) * 2 + (3, 3))
    yield from _block(f"{name}.middle", (before, before), time)
    for level in reversed(range(len(levels))):
        yield from _block(f"{name}.up.{level}", (before + levels[level], levels[level]), time)
        before = levels[level]
    yield from norm_specs(f"{name}.leave.0", before)
    yield from layer_specs(f"{name}.leave.2", (COLOURS, before, 3, 3))


def _block(name: str, sizes: tuple[int, int], time: int) -> Specs:
    inputs, channels = sizes
    yield from norm_specs(f"{name}.first.0", inputs)
    yield from layer_specs(f"{name}.first.2", (channels, inputs, 3, 3))
    if time:
        yield from layer_specs(f"{name}.time", (channels, time))
    yield from norm_specs(f"{name}.second.0", channels)
    yield from layer_specs(f"{name}.second.2", (channels, channels, 3, 3))
    if inputs != channels:
        yield from layer_specs(f"{name}.shortcut", (channels, inputs, 1, 1))
