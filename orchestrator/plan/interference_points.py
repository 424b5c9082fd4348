"""Interference in a scenario: swept axes besides SNR, channel and seed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Annotated, Self

from pydantic import Field, model_validator

from orchestrator.plan.groups import GroupSettings
from orchestrator.plan.snr_points import SnrPoints, values_of
from semcom.channel_choice import Channel
from semcom.groups import MAX_MEMBERS
from semcom.interference import Delay, Interference, Occurrence, Per
from semcom.points import OWN_MODELS, ChannelSettings
from semcom.settings import Settings

Number = Annotated[int, Field(ge=0, le=MAX_MEMBERS - 1)]


class InterferenceSettings(Settings):
    """Interference between the links of a group: all numbers of interferers at all SIRs."""

    sir_db: SnrPoints = Field(
        description="SIR of each interferer in dB, as a list or a range like snr_db"
    )
    interferers: list[Number] = Field(
        min_length=1,
        description="number of interferers of each link; 0: none, whatever the SIR",
    )
    occurrence: Occurrence = Field(
        default=0.9, description="probability that an interferer is active"
    )
    per: Per = Field(
        default="symbol", description="occurrence is drawn once per symbol or once per codeword"
    )
    delay: Delay = Field(
        default=24,
        description="largest delay of an interferer in symbols; each delay is drawn uniformly from "
        "0 to this",
    )

    @model_validator(mode="after")
    def _each_once(self) -> Self:
        values: Mapping[str, list[float]] = {
            "sir_db": values_of(self.sir_db),
            "interferers": [*self.interferers],
        }
        for key, found in values.items():
            if len(set(found)) != len(found):
                raise ValueError(f"{key} contains a value twice")
        if self.interferers == [0]:
            raise ValueError("interferers: only 0 means no interference; leave interference out")
        return self

    @property
    def points(self) -> list[Interference | None]:
        """Return the swept points; None: no interferer, which is one point for all SIRs."""
        found: list[Interference | None] = []
        for number in self.interferers:
            if number == 0:
                found.append(None)
                continue
            found += [
                Interference(
                    interferers=number,
                    sir_db=sir_db,
                    occurrence=self.occurrence,
                    per=self.per,
                    delay=self.delay,
                )
                for sir_db in values_of(self.sir_db)
            ]
        return found


def interference_points(settings: InterferenceSettings | None) -> list[Interference | None]:
    """Return the swept points of interference; one point for a scenario without it."""
    return [None] if settings is None else settings.points


def check_interference(
    settings: InterferenceSettings | None,
    groups: Mapping[str, GroupSettings],
    links: Iterable[str],
    channels: Iterable[Channel],
) -> None:
    """Check that interference applies to every link, and that its groups are large enough.

    Raises:
        ValueError: it does not, or a channel model does not define the channel of interferers.
    """
    interfering = {name: group for name, group in groups.items() if group.kind == "interference"}
    if settings is None:
        for name in interfering:
            raise ValueError(
                f"group {name}: set interference, which defines how strongly its links interfere"
            )
        return
    reached = {link for group in interfering.values() for link in group.links}
    for link in links:
        if link not in reached:
            raise ValueError(
                f"interference does not apply to link {link}: it is in no group of kind "
                "interference"
            )
    most = max(settings.interferers)
    for name, group in interfering.items():
        if most >= len(group.links):
            raise ValueError(
                f"interferers: {most}, but a link of group {name} meets at most "
                f"{len(group.links) - 1}"
            )
    others = [it.model for it in channels if not isinstance(it, ChannelSettings)]
    if others:
        raise ValueError(
            f"channel model {others[0]} does not define the channel of interferers; with "
            f"interference, use one of {', '.join(OWN_MODELS)}"
        )
