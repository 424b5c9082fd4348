"""Interference of a live group, which can be changed while the group streams."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from orchestrator.plan.interference_points import Number
from semcom.errors import ConfigurationError
from semcom.interference import Delay, Interference, Occurrence, Per, SirDb
from semcom.points import OWN_MODELS, AnyChannel, ChannelSettings
from semcom.settings import Settings, validate


class LiveInterference(Settings):
    """The interference between the links of a group."""

    sir_db: SirDb = Field(default=10.0, description="initial SIR of each interferer in dB")
    interferers: Number | None = Field(
        default=None, description="initial number of interferers of each link; all if omitted"
    )
    occurrence: Occurrence = Field(
        default=0.9, description="initial probability that an interferer is active"
    )
    per: Per = Field(
        default="symbol", description="occurrence is drawn once per symbol or once per codeword"
    )
    delay: Delay = Field(
        default=24,
        description="largest delay of an interferer in symbols; each delay is drawn uniformly from "
        "0 to this",
    )

    def at(self, members: int) -> Interference | None:
        """Return the interference of a point of a group with this many links.

        None without interferers.
        """
        number = members - 1 if self.interferers is None else self.interferers
        if number == 0:
            return None
        return Interference(
            interferers=number,
            sir_db=self.sir_db,
            occurrence=self.occurrence,
            per=self.per,
            delay=self.delay,
        )

    def changed(self, changes: dict[str, Any], *, members: int, where: str) -> LiveInterference:
        """Return these settings with some of them changed.

        Raises:
            ConfigurationError: there are not enough interferers.
        """
        number = changes.get("interferers")
        if number is not None and number >= members:
            raise ConfigurationError(
                f"{where}: interferers: {number}, but a link meets at most {members - 1}"
            )
        return validate(LiveInterference, {**self.model_dump(), **changes}, where=where)


def check_met(channel: AnyChannel, where: str) -> None:
    """Check that a channel model defines the channel of interferers.

    Raises:
        ConfigurationError: it does not.
    """
    if not isinstance(channel, ChannelSettings):
        raise ConfigurationError(
            f"{where}: channel model {channel.model} does not define the channel of "
            f"interferers; available: {', '.join(OWN_MODELS)}"
        )
