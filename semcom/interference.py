"""Interference at a point: the number and the strength of a link's interferers.

    y = h x + n + sum over k of a L_k m_k s_k,   a = 10^(-SIR/20)

x is the wanted codeword, s_k that of another link after its delay. SIR is the ratio of mean powers
for one interferer while it is active: with N active ones, the total SIR is SIR - 10 log10 N.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from semcom.groups import MAX_MEMBERS

MAX_DELAY = 65_535  # symbols

SirDb = Annotated[float, Field(ge=-30, le=60, allow_inf_nan=False)]
Interferers = Annotated[int, Field(ge=1, lt=MAX_MEMBERS)]
Occurrence = Annotated[float, Field(gt=0, le=1, allow_inf_nan=False)]
Delay = Annotated[int, Field(ge=0, le=MAX_DELAY)]
Per = Literal["symbol", "codeword"]


class Interference(BaseModel):
    """Interferers of every link of a group, as stored in plans, ledgers and messages.

    Attributes:
        interferers: N; a link meets the N members that follow it in the order of names, cyclically.
        sir_db: power of the wanted codeword over that of each interferer while it is active.
        occurrence: probability that an interferer is active.
        per: unit for which occurrence is drawn: each symbol, or a whole codeword.
        delay: D, symbols; an interferer begins after 0..D of them, uniformly.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    interferers: Interferers
    sir_db: SirDb
    occurrence: Occurrence = 0.9
    per: Per = "symbol"
    delay: Delay = 24

    @property
    def label(self) -> str:
        """Short name for tables: number, SIR, and settings that differ from the defaults."""
        parts = [f"interferers={self.interferers}", f"sir={self.sir_db:g}", self.kind_label]
        return " ".join(part for part in parts if part)

    @property
    def kind_label(self) -> str:
        """Short name of the settings that differ from the defaults, except number and SIR."""
        parts: list[str] = []
        if self.occurrence != 0.9:
            parts.append(f"occurrence={self.occurrence:g}")
        if self.per != "symbol":
            parts.append(f"per={self.per}")
        if self.delay != 24:
            parts.append(f"delay={self.delay}")
        return " ".join(parts)

    def of(self, link: str, members: list[str]) -> list[str]:
        """Return the interferers of a link, in ascending order; `members` are in that order."""
        place = members.index(link)
        following = [*members[place + 1 :], *members[:place]]
        return sorted(following[: self.interferers])
