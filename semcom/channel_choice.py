"""The channels in users' files: each model with the keys that have an effect on it.

Plans, ledgers and messages hold `ChannelSettings`, one flat record for our three models, so stored
records stay readable. In a file that a user writes, a key without effect is an error. A model of an
installed package is held as a `PluginChannel`, checked by the package's own class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    model_validator,
)
from pydantic_core import InitErrorDetails, PydanticCustomError

from semcom.channel_models import channel_of, model_class
from semcom.errors import ConfigurationError
from semcom.points import (
    OWN_MODELS,
    AnyChannel,
    ChannelSettings,
    Coherence,
    Csi,
    CsiErrorVariance,
    EqualizerMethod,
    PluginChannel,
    PointSpec,
    RicianK,
    Seed,
    SnrDb,
)
from semcom.read_as import MemberOf, ReadAs
from semcom.settings import Settings, validate

DEFAULT_MODEL = "awgn"


class AwgnChannel(Settings):
    """Noise only: there is no fading to know or to invert."""

    model: Literal["awgn"] = Field(default="awgn", description="noise only")


class FadingChannel(Settings):
    """Settings of both fading models."""

    model: Literal["rayleigh", "rician"]
    coherence: Coherence = Field(default=1, description="codewords per fading draw")
    csi: Csi = Field(default="perfect", description="what the receiver knows about the fading")
    csi_error_variance: CsiErrorVariance | None = Field(
        default=None,
        description="variance of the error of the receiver's channel state; only with csi: "
        "mismatch, where it is required",
    )
    equalizer: EqualizerMethod = Field(
        default="zero_forcing",
        description="equaliser of the receiver; without effect if csi is none",
    )

    @model_validator(mode="after")
    def _has_effect(self) -> Self:
        if self.csi == "mismatch" and self.csi_error_variance is None:
            raise ValueError("csi: mismatch needs csi_error_variance, a number from 0 to 10")
        if self.csi != "mismatch" and self.csi_error_variance is not None:
            raise ValueError(f"csi_error_variance needs csi: mismatch, here csi is {self.csi}")
        if self.csi == "none" and "equalizer" in self.model_fields_set:
            raise ValueError("equalizer has no effect with csi: none; omit one of them")
        return self


class RayleighChannel(FadingChannel):
    """Scattered paths only."""

    model: Literal["rayleigh"] = Field(description="scattered paths only")


class RicianChannel(FadingChannel):
    """A line of sight and scattered paths."""

    model: Literal["rician"] = Field(description="a line-of-sight path and scattered paths")
    rician_k: RicianK = Field(
        default=4.0,
        description="K factor: power of the line-of-sight path over that of the scattered paths",
    )


WrittenChannel = AwgnChannel | RayleighChannel | RicianChannel


def settings_of(written: WrittenChannel | PluginChannel) -> AnyChannel:
    """Return the record of a channel."""
    if isinstance(written, PluginChannel):
        return written
    return ChannelSettings.model_validate(written.model_dump(exclude_none=True))


def _model_of(content: Any) -> str | None:
    """Return the model named by a map, or the default model."""
    model = content.get("model", DEFAULT_MODEL) if isinstance(content, dict) else None
    return model if isinstance(model, str) else None


def _plugin_of(content: Any) -> tuple[str, dict[str, Any]] | None:
    """Return the package's model that a map names and its settings; None for a built-in model."""
    name = _model_of(content)
    if name is None or name in OWN_MODELS:
        return None
    record = content.get("settings")
    if content.keys() == PluginChannel.model_fields.keys() and isinstance(record, dict):
        return name, record  # as plans and manifests have it
    return name, {key: value for key, value in content.items() if key != "model"}


def _plugin_class(content: Any) -> type[BaseModel] | None:
    """Return the settings class of a package's model that a map names."""
    named = _plugin_of(content)
    try:
        return None if named is None else model_class(named[0])
    except ConfigurationError:
        return None


def _with_plugins(content: Any, own: ValidatorFunctionWrapHandler) -> Any:
    """Validate a built-in channel, or one of a package, whose class checks its settings."""
    named = _plugin_of(content)
    if named is None:
        return own(content)
    try:
        return channel_of(*named)
    except ConfigurationError as error:
        reason = PydanticCustomError("value_error", "{why}", {"why": str(error)})
        wrong = InitErrorDetails(type=reason, loc=("model",), input=named[0])
        raise ValidationError.from_exception_data("channel", [wrong]) from error


def _from_record(content: Any) -> Any:
    """Return a complete flat record of an earlier version without defaults that have no effect."""
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
    """Return the keys of a flat record that have no effect."""
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
    WrapValidator(_with_plugins),
    MemberOf(_plugin_class),
]
# A channel that is written by hand.
Channel = Annotated[AnyChannel, ReadAs(_Written, settings_of)]


class _Link(Settings):
    """Wraps a single channel so that its errors read like those of a file."""

    channel: Channel


def own_class(model: str) -> type[Settings]:
    """Return the settings of one of our models as a user writes them."""
    classes: Mapping[str, type[Settings]] = {
        "awgn": AwgnChannel,
        "rayleigh": RayleighChannel,
        "rician": RicianChannel,
    }
    return classes[model]


def changed(
    channel: AnyChannel, *, model: str | None, settings: Mapping[str, Any], where: str
) -> AnyChannel:
    """Return a channel with another model, other settings, or both.

    Settings that are not given are kept if the model stays the same or another built-in model
    follows; otherwise they are the model's defaults.

    Raises:
        ConfigurationError: no such model, or settings that it does not have.
    """
    name = channel.model if model is None else model
    is_own = isinstance(channel, ChannelSettings) and name in OWN_MODELS
    if is_own and not settings:  # settings without effect are kept for a later model
        return channel.model_copy(update={"model": name})
    kept: Mapping[str, Any] = {}
    if isinstance(channel, PluginChannel):
        kept = channel.settings if name == channel.model else {}
    elif is_own:
        kept = channel.model_dump()
    content = {"channel": {**kept, **settings, "model": name}}
    return validate(_Link, content, where=where).channel


def read_channel(content: Mapping[str, Any], *, where: str) -> AnyChannel:
    """Return a channel from what a user writes, as an entry of `channels:`.

    Raises:
        ConfigurationError: no such model, or settings that it does not have.
    """
    return validate(_Link, {"channel": dict(content)}, where=where).channel


class WrittenPoint(Settings):
    """A point in a file that a user writes."""

    channel: Channel = Field(default=ChannelSettings(), description="channel of the point")
    snr_db: SnrDb = Field(description="Es/N0 per complex symbol")
    seed: Seed = Field(default=0, description="seed of the channel")


def point_of(written: WrittenPoint) -> PointSpec:
    """Return the point in the form of messages."""
    return PointSpec(channel=written.channel, snr_db=written.snr_db, seed=written.seed)


# A point that is written by hand.
Point = Annotated[PointSpec, ReadAs(WrittenPoint, point_of)]
