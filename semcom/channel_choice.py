"""The channels that a user may write: each model with the keys that have an effect on it.

Plans, ledgers and messages hold `ChannelSettings`, one flat record for all models; whatever is
stored in that form stays readable. Where a person writes, a key that does nothing is an error.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, ValidationError, model_validator

from semcom.points import (
    ChannelSettings,
    Coherence,
    Csi,
    CsiErrorVariance,
    EqualizerMethod,
    PointSpec,
    RicianK,
    Seed,
    SnrDb,
)
from semcom.read_as import ReadAs
from semcom.settings import Settings

DEFAULT_MODEL = "awgn"


class AwgnChannel(Settings):
    """Noise alone: there is no fading to know or to undo."""

    model: Literal["awgn"] = Field(default="awgn", description="noise alone")


class FadingChannel(Settings):
    """What both fading models have."""

    model: Literal["rayleigh", "rician"]
    coherence: Coherence = Field(default=1, description="codewords per fading draw")
    csi: Csi = Field(default="perfect", description="what the receiver knows of the fading")
    csi_error_variance: CsiErrorVariance | None = Field(
        default=None, description="of csi: mismatch, which needs it"
    )
    equalizer: EqualizerMethod = Field(
        default="zero_forcing", description="at the receiver; none with csi: none"
    )

    @model_validator(mode="after")
    def _has_effect(self) -> Self:
        if self.csi == "mismatch" and self.csi_error_variance is None:
            raise ValueError("csi: mismatch needs csi_error_variance, a number from 0 to 10")
        if self.csi != "mismatch" and self.csi_error_variance is not None:
            raise ValueError(f"csi_error_variance needs csi: mismatch, here csi is {self.csi}")
        if self.csi == "none" and "equalizer" in self.model_fields_set:
            raise ValueError("equalizer has no effect with csi: none; leave one out")
        return self


class RayleighChannel(FadingChannel):
    """Scattered paths alone."""

    model: Literal["rayleigh"] = Field(description="scattered paths alone")


class RicianChannel(FadingChannel):
    """A line of sight and scattered paths."""

    model: Literal["rician"] = Field(description="a line of sight and scattered paths")
    rician_k: RicianK = Field(default=4.0, description="line of sight over scattered")


WrittenChannel = AwgnChannel | RayleighChannel | RicianChannel


def settings_of(written: WrittenChannel) -> ChannelSettings:
    """Return the flat record of a channel."""
    return ChannelSettings.model_validate(written.model_dump(exclude_none=True))


def _model_of(content: Any) -> str | None:
    """The model of a map; that of the default where none is named."""
    model = content.get("model", DEFAULT_MODEL) if isinstance(content, dict) else None
    return model if isinstance(model, str) else None


def _from_record(content: Any) -> Any:
    """A whole flat record as earlier versions wrote it, without the defaults that do nothing."""
    if not isinstance(content, dict) or content.keys() != ChannelSettings.model_fields.keys():
        return content
    try:
        channel = ChannelSettings.model_validate(content)
    except ValidationError:
        return content
    defaults = ChannelSettings().model_dump()
    idle = {key for key in _without_effect(channel) if content[key] == defaults[key]}
    return {key: value for key, value in content.items() if key not in idle}


def _without_effect(channel: ChannelSettings) -> set[str]:
    """Keys of a flat record that change nothing."""
    if channel.model == "awgn":
        return set(ChannelSettings.model_fields) - {"model"}
    idle = {"rician_k"} if channel.model == "rayleigh" else set()
    idle |= {"csi_error_variance"} if channel.csi != "mismatch" else set()
    return idle | ({"equalizer"} if channel.csi == "none" else set())


_Written = Annotated[
    Annotated[AwgnChannel, Tag("awgn")]
    | Annotated[RayleighChannel, Tag("rayleigh")]
    | Annotated[RicianChannel, Tag("rician")],
    Discriminator(_model_of),
    BeforeValidator(_from_record),
]
# A channel that is written by hand.
Channel = Annotated[ChannelSettings, ReadAs(_Written, settings_of)]


class WrittenPoint(Settings):
    """A point in a file that a user writes."""

    channel: Channel = Field(default=ChannelSettings(), description="of the point")
    snr_db: SnrDb = Field(description="Es/N0 per complex symbol")
    seed: Seed = Field(default=0, description="of the channel")


def point_of(written: WrittenPoint) -> PointSpec:
    """Return the point as messages have it."""
    return PointSpec(channel=written.channel, snr_db=written.snr_db, seed=written.seed)


# A point that is written by hand.
Point = Annotated[PointSpec, ReadAs(WrittenPoint, point_of)]
