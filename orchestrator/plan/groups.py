"""Groups of a scenario and of a plan: links whose frames meet in the channel."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Self

from pydantic import Field, model_validator

from semcom.errors import ConfigurationError
from semcom.groups import MAX_MEMBERS, POWER_SUM_TOLERANCE, Group, Kind, Power
from semcom.names import Name
from semcom.settings import Settings


class GroupSettings(Settings):
    """Links that send simultaneously over one channel, superposed or as interferers."""

    kind: Kind = Field(
        default="superposition",
        description="superposition: one receiver decodes the sum; interference: each link is "
        "received separately, and the others interfere",
    )
    links: list[Name] = Field(
        min_length=2,
        max_length=MAX_MEMBERS,
        description="links of the scenario; each may be in one group only",
    )
    powers: dict[Name, Power] = Field(
        default={},
        description="share of each superposed link in the total power of 1; equal shares if "
        "omitted",
    )

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if len(set(self.links)) != len(self.links):
            raise ValueError("links contains a name twice")
        if not self.powers:
            return self
        if self.kind == "interference":
            raise ValueError("powers apply only to superposed links; for interference, set sir_db")
        if set(self.powers) != set(self.links):
            raise ValueError(f"powers must name exactly the links {', '.join(self.links)}")
        total = math.fsum(self.powers.values())
        if abs(total - 1.0) > POWER_SUM_TOLERANCE:
            raise ValueError(f"powers add up to {total:g}, not 1")
        return self


class PlannedGroup(Settings):
    """A planned group: members in ascending order, and powers of superposed ones."""

    kind: Kind
    links: list[Name]
    powers: list[float]

    @property
    def received_together(self) -> int:
        """Links that one receiver decodes together."""
        return len(self.links) if self.kind == "superposition" else 1

    def as_told(self, name: str, *, window: int) -> Group:
        """Return the group in the form of messages."""
        return Group(name=name, kind=self.kind, links=self.links, powers=self.powers, window=window)


def plan_group(settings: GroupSettings) -> PlannedGroup:
    """Sort the links of a group, and assign powers."""
    links = sorted(settings.links)
    equal = 1.0 / len(links)
    powers = [settings.powers.get(link, equal) for link in links]
    superposed = settings.kind == "superposition"
    return PlannedGroup(kind=settings.kind, links=links, powers=powers if superposed else [])


def check_groups(groups: Mapping[str, GroupSettings], links: Mapping[str, object]) -> None:
    """Check that groups consist of links of the scenario, each in at most one.

    Raises:
        ValueError: a group has the name of a link, or a link does not exist or is in two groups.
    """
    member_of: dict[str, str] = {}
    for name, group in groups.items():
        if name in links:
            raise ValueError(f"group {name} has the name of a link: both would have the same noise")
        for link in group.links:
            if link not in links:
                raise ValueError(f"group {name}: {link} is not a link of the scenario")
            if link in member_of:
                raise ValueError(f"link {link} is in the groups {member_of[link]} and {name}")
            member_of[link] = name


def check_codec_links(link: str, codec: str, *, wanted: int, served: int) -> None:
    """Check that a codec serves the number of links that meet.

    Raises:
        ConfigurationError: it serves another number.
    """
    if wanted == served:
        return
    serves = f"codec {codec} serves {served} links that meet in a group"
    if served == 1:
        serves = f"codec {codec} serves a single link"
    meets = f"it is in a group of {wanted}" if wanted > 1 else "it is in no group"
    raise ConfigurationError(f"link {link}: {serves}, {meets}")
