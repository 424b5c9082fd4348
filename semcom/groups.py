"""Groups: links whose frames meet in the channel.

The frames f of a point of all members form one *slot*. Members are in ascending order of their
names, and all sums over members are computed in that order, so they are bit-identical for any order
of arrival.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from semcom.names import Name

MAX_MEMBERS = 16
MAX_GROUPS = 64  # groups of a run, so that a table of points can name all
MAX_WINDOW = 1024
POWER_SUM_TOLERANCE = 1e-9

Power = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Patience = Annotated[float, Field(ge=0.05, le=60, allow_inf_nan=False)]
Kind = Literal["superposition", "interference"]


class Group(BaseModel):
    """Links whose frames meet.

    Superposed frames form one sum for one receiver: y = sum of sqrt(p_u) h_u x_u, plus noise. With
    interference, each link is received separately, and the others interfere as the point states.

    Attributes:
        name: keys the noise of superposed frames in place of a link's name.
        kind: how frames meet.
        links: members in ascending order.
        powers: p_u, the share of each superposed member in the total power 1, in the order of
            `links`; empty with interference.
        window: frames in flight per member.
        patience_s: how long a slot waits for missing frames before it is served without them; None:
            forever, since results of a sweep must not depend on late links.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    name: Name
    kind: Kind = "superposition"
    links: list[Name] = Field(min_length=2, max_length=MAX_MEMBERS)
    powers: list[Power] = Field(default=[], max_length=MAX_MEMBERS)
    window: Annotated[int, Field(ge=1, le=MAX_WINDOW)]
    patience_s: Patience | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.links != sorted(set(self.links)):
            raise ValueError("links must be in ascending order, each once")
        if self.kind == "interference":
            if self.powers:
                raise ValueError("powers apply only to superposed links")
            return self
        if len(self.powers) != len(self.links):
            raise ValueError(f"{len(self.powers)} powers for {len(self.links)} links")
        if abs(math.fsum(self.powers) - 1.0) > POWER_SUM_TOLERANCE:
            raise ValueError(f"powers add up to {math.fsum(self.powers):g}, not 1")
        return self


def offsets_of(links: Sequence[str], *, images: int) -> dict[str, int]:
    """Return the item with which each link of a group begins.

    In slot i the u-th of U links sends item i + u M / U, modulo the number M of items. So every
    link sends every item once, and items that meet differ.
    """
    return {link: user * images // len(links) for user, link in enumerate(links)}
