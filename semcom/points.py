"""A point of a sweep: one channel condition under which items are sent.

SNR is Es/N0 per complex symbol in dB; transmitters guarantee Es = 1 per codeword, so the noise
power is N0 = 10^(-SNR/10) per complex symbol, half of it on each real axis.
"""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from semcom.increments import Rate
from semcom.interference import Interference
from semcom.names import Name

SNR_MIN_DB, SNR_MAX_DB = -30.0, 60.0

ChannelModel = Literal["awgn", "rayleigh", "rician"]
OWN_MODELS: tuple[str, ...] = get_args(ChannelModel)
MAX_SETTINGS_TEXT = 2048  # so that a table of points fits into a message
MAX_SETTING_ITEMS = 64  # items of a list or map, as in all messages
MIN_SETTING, MAX_SETTING = -(2**63), 2**64 - 1  # range of msgpack's integers
MAX_LABEL = 64
RECEIVERS = frozenset({"csi", "equalizer"})  # settings of a receiver, not of the draw
Csi = Literal["perfect", "mismatch", "none"]
# `mmse` is the biased one of the first version, kept for its runs and codecs.
EqualizerMethod = Literal["zero_forcing", "mmse", "unbiased_mmse", "regularized_zero_forcing"]
SnrDb = Annotated[float, Field(ge=SNR_MIN_DB, le=SNR_MAX_DB, allow_inf_nan=False)]
RicianK = Annotated[float, Field(ge=0, le=1e4, allow_inf_nan=False)]
Coherence = Annotated[int, Field(ge=1, le=1_000_000)]
CsiErrorVariance = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]
Seed = Annotated[int, Field(ge=0, lt=2**63)]


class ChannelSettings(BaseModel):
    """A fading model, the receiver's channel state, and its equaliser.

    The form of a channel in plans, ledgers and messages: a key may have no effect on its model.
    `semcom.channel_choice` checks what a user writes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: ChannelModel = Field(default="awgn", description="fading model")
    rician_k: RicianK = Field(
        default=4.0,
        description="K factor: power of the line-of-sight path over that of the scattered paths",
    )
    coherence: Coherence = Field(default=1, description="codewords per fading draw")
    csi: Csi = Field(default="perfect", description="what the receiver knows about the fading")
    csi_error_variance: CsiErrorVariance = Field(default=0.0, description="only with csi: mismatch")
    equalizer: EqualizerMethod = Field(default="zero_forcing", description="at the receiver")

    @property
    def label(self) -> str:
        """Short name for tables: the model, and whatever differs from the defaults."""
        parts: list[str] = [self.model]
        if self.model == "rician":
            parts.append(f"k={self.rician_k:g}")
        if self.model != "awgn":
            if self.coherence != 1:
                parts.append(f"coherence={self.coherence}")
            if self.csi == "mismatch":
                parts.append(f"mismatch={self.csi_error_variance:g}")
            elif self.csi != "perfect":
                parts.append(f"csi={self.csi}")
            if self.equalizer != "zero_forcing":
                parts.append(self.equalizer)
        return " ".join(parts)

    @property
    def draw_text(self) -> str:
        """Return the text that keys the fading."""
        fading = f"{self.model}:k={self.rician_k!r}" if self.model == "rician" else self.model
        return f"{fading}:coherence={self.coherence}"


class PluginChannel(BaseModel):
    """A channel model of an installed package, and its settings that differ from the defaults.

    `semcom.channel_models` converts a user's settings to this form.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    model: Name
    settings: dict[str, JsonValue]

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.model in OWN_MODELS:
            raise ValueError(f"{self.model} has its own fields instead of a map of settings")
        if len(_json(self.settings)) > MAX_SETTINGS_TEXT:
            raise ValueError(f"settings are longer than {MAX_SETTINGS_TEXT:,} characters of JSON")
        _check_sendable(self.settings)
        return self

    def __eq__(self, other: object) -> bool:
        """Return whether the digests are equal, for which 1, 1.0 and true are three values."""
        return isinstance(other, PluginChannel) and self._text == other._text

    def __hash__(self) -> int:
        """Return a hash that is equal for equal settings."""
        return hash(self._text)

    @property
    def _text(self) -> tuple[str, str]:
        return self.model, _json(self.settings)

    @property
    def label(self) -> str:
        """Short name for tables: the model, and whatever differs from the defaults."""
        parts = [f"{key}={_shown(value)}" for key, value in sorted(self.settings.items())]
        label = " ".join([self.model, *parts])
        if len(label) <= MAX_LABEL:
            return label
        digest = hashlib.sha256(label.encode()).hexdigest()
        return f"{label[: MAX_LABEL - 12]}... {digest[:8]}"

    @property
    def draw_text(self) -> str:
        """Return the text that keys the channel."""
        drawn = {key: value for key, value in self.settings.items() if key not in RECEIVERS}
        return f"{self.model}:{_json(drawn)}"


AnyChannel = ChannelSettings | PluginChannel


def equalizer_of(channel: AnyChannel) -> str | None:
    """Return the equaliser of a channel; None if the receiver has no channel state."""
    if isinstance(channel, ChannelSettings):
        undone = channel.model != "awgn" and channel.csi != "none"
        return channel.equalizer if undone else None
    if channel.settings.get("csi") == "none":
        return None
    return str(channel.settings.get("equalizer", "zero_forcing"))


class PointSpec(BaseModel):
    """Everything that determines the random numbers of a point, and the rate, which does not.

    `rate`: how much of ordered codewords is sent; None: all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    channel: AnyChannel = Field(default=ChannelSettings(), union_mode="left_to_right")
    snr_db: SnrDb
    seed: Seed = 0
    interference: Interference | None = None
    rate: Rate | None = None

    @property
    def label(self) -> str:
        """Short name of channel, interference and rate for tables; SNR and seed have columns."""
        more = [each.label for each in (self.interference, self.rate) if each is not None]
        return " ".join([self.channel.label, *more])

    @property
    def noise_power(self) -> float:
        """N0 per complex symbol, linear."""
        return float(10.0 ** (-self.snr_db / 10.0))

    @property
    def key_text(self) -> str:
        """Return the canonical text that keys the random numbers.

        The receiver's options are omitted: every receiver gets the same channel.
        """
        snr_db = self.snr_db + 0.0  # turns -0.0 into 0.0, so that there is one zero
        return f"{self.channel.draw_text}:snr_db={snr_db!r}"


def _json(value: Any) -> str:
    """Return canonical JSON.

    Raises:
        ValueError: a number is not finite.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _check_sendable(value: JsonValue) -> None:
    """Refuse settings that do not fit into a message.

    Raises:
        ValueError: a list or map is too long, an integer too large, or a text is not valid Unicode.
    """
    if isinstance(value, list | dict) and len(value) > MAX_SETTING_ITEMS:
        raise ValueError(f"a list or map of settings has more than {MAX_SETTING_ITEMS} items")
    if isinstance(value, int) and not MIN_SETTING <= value <= MAX_SETTING:
        raise ValueError("an integer has more than 64 bits")
    if isinstance(value, str) and not _is_unicode(value):
        raise ValueError("a string contains half of a surrogate pair")
    if isinstance(value, dict):
        value = [*value, *value.values()]
    for each in value if isinstance(value, list) else ():
        _check_sendable(each)


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _shown(value: JsonValue) -> str:
    if isinstance(value, float):
        return short if float(short := f"{value:g}") == value else repr(value)
    is_word = isinstance(value, str) and value.isprintable() and not set(value) & set(' |"')
    return str(value) if is_word else _json(value)
