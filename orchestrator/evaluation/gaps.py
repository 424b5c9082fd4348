"""The gaps of a merged evaluation, and the commands that compute them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.evaluation.part_choice import Part
from orchestrator.evaluation.part_folders import Source
from orchestrator.plan.plan import Plan
from orchestrator.plan.units import Unit, units_of_part
from orchestrator.results.resumption import EVALUATE, going_on, part_words
from semcom.plain_text import command


@dataclass(frozen=True)
class Gap:
    """Missing frames, and the command that computes them."""

    units: tuple[Unit, ...]
    command: str

    def lines(self, plan: Plan) -> list[str]:
        """Return the missing frames by link, and the command."""
        missing = [f"missing: {described(plan, unit)}" for unit in self.units]
        return [*missing, f"compute with: {self.command}"]


def gaps_of(missing: Sequence[Unit], sources: Sequence[Source], out: Path) -> list[Gap]:
    """Return the gaps of a merged evaluation, by part if it was computed in parts.

    If parts were split in several ways, the most frequent one counts. If nothing was computed in
    parts, the merged evaluation itself is resumed.
    """
    parts = [(source.part, source) for source in sources if source.part is not None]
    if not missing:
        return []
    if not parts:
        return [Gap(tuple(missing), whole_command(sources, out))]
    counted = Counter((part.of, source.folder.parent) for part, source in parts)
    (of, parent), _ = max(counted.items(), key=lambda item: (item[1], -item[0][0]))
    words = next(source.words for part, source in parts if part.of == of)
    gaps: list[Gap] = []
    for number in range(1, of + 1):
        shared = units_of_part(sources[0].plan, number, of)
        if lacking := [both for unit in missing for part in shared for both in _both(unit, part)]:
            part = Part(number, of)
            text = going_on(part_words(words or [EVALUATE], str(part)), parent / part.folder)
            gaps.append(Gap(tuple(lacking), text if words else f"{text} (and its other words)"))
    return gaps


def whole_command(sources: Sequence[Source], out: Path) -> str:
    """Return the command that computes everything missing on this machine."""
    words = next((source.words for source in sources if source.words), [])
    if words:
        return going_on(words, out)
    return f"their own command, without --part and with {command('--out', out)}"


def described(plan: Plan, unit: Unit) -> str:
    """Return a unit in words."""
    codec = plan.links[unit.links[0]].codecs[unit.variant]
    frames = f"frames {unit.first} to {unit.stop - 1}"
    if unit.stop - unit.first == 1:
        frames = f"frame {unit.first}"
    many = len(unit.points)
    points = f"{many} points" if many > 1 else f"point {unit.points[0]}"
    links = f"link {unit.links[0]}" if len(unit.links) == 1 else f"links {', '.join(unit.links)}"
    return f"{frames} of {links} with codec {codec.name} at {points}"


def _both(one: Unit, other: Unit) -> list[Unit]:
    """Return the intersection of two units."""
    first, stop = max(one.first, other.first), min(one.stop, other.stop)
    if (one.links, one.variant) != (other.links, other.variant) or first >= stop:
        return []
    return [replace(one, first=first, stop=stop)]
