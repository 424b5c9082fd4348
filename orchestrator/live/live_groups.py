"""Links of a live system whose frames meet: they share points, frame numbers and a clock.

Slot f of a group is due at the same time for all of its links. A change of the channel is a new
point that begins with a slot slightly ahead, so that all links change with the same frame. A
restarted transmitter also begins with such a slot; the others continue meanwhile.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from orchestrator.live.links import LAST_FRAME, Link
from orchestrator.live.live_interference import LiveInterference, check_met
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.live.requests import ChannelRequest
from orchestrator.plan.groups import PlannedGroup, plan_group
from semcom.errors import ConfigurationError
from semcom.groups import Group
from semcom.points import PointSpec

LEAD_S = 0.5  # from an order to the slot with which it takes effect


class LiveGroup:
    """The state that the links of a group share."""

    def __init__(
        self,
        name: str,
        planned: PlannedGroup,
        links: Mapping[str, Link],
        *,
        interference: LiveInterference,
        told: Group,
    ) -> None:
        self.name = name
        self.planned = planned
        self.links = [links[link] for link in planned.links]
        self.told = told  # its description for the channel
        self._interference = interference if planned.kind == "interference" else None
        self._rate_hz = self.links[0].settings.rate_hz
        self._zero_s: float | None = None  # when slot 0 is due
        self._first = self._restarts = 0
        for link in self.links:
            link.group = self

    @property
    def wanted(self) -> PointSpec:
        """Return the channel condition that the group should have."""
        own = self.links[0].wanted
        met = None if self._interference is None else self._interference.at(len(self.links))
        seed = self.links[0].settings.seed + self._restarts
        return own.model_copy(update={"seed": seed, "interference": met})

    @property
    def needs_point(self) -> bool:
        """Return whether the group streams and needs a new point or epoch."""
        if not all(link.instance for link in self.links):
            return False  # it begins when all links are connected
        spec = self.wanted
        return any(link.point is None or link.spec != spec for link in self.links)

    def move_to(self, point: int, spec: PointSpec, now_s: float) -> None:
        """Set a new point that begins with a slot slightly ahead."""
        if self._zero_s is None:
            self._zero_s = now_s + LEAD_S
        ahead = math.ceil((now_s + LEAD_S - self._zero_s) * self._rate_hz - 1e-6)
        self._first = max(self._first, ahead)
        if self._first >= LAST_FRAME:
            self._restart(now_s)
        for link in self.links:
            link.move_to(point, spec, first_frame=self._first)

    def due_in_s(self, slot: int, now_s: float) -> float:
        """Return in how many seconds a slot is due; negative if it is past."""
        assert self._zero_s is not None
        return self._zero_s + slot / self._rate_hz - now_s

    def user(self, link: Link) -> int:
        """Return a link's index among the members."""
        return self.links.index(link)

    def set_channel(self, wanted: ChannelRequest) -> None:
        """Change the channel of all links or their interference, completely or not at all.

        Raises:
            ConfigurationError: the model has no such settings, or no link interferes here.
        """
        changes = wanted.met
        met = self._interference
        if changes and met is None:
            raise ConfigurationError(
                f"links of group {self.name} are superposed: they have no SIR and no interferers"
            )
        if met is not None:
            met = met.changed(changes, members=len(self.links), where=f"group {self.name}")
            check_met(self.links[0].channel_changed(wanted), f"group {self.name}")
        for link in self.links:
            link.set_channel(wanted)
        self._interference = met

    @property
    def status(self) -> dict[str, Any]:
        """Return what the row of each of its links says about the group."""
        met = self._interference
        told = None if met is None else met.model_dump(mode="json")
        if told is not None and told["interferers"] is None:
            told["interferers"] = len(self.links) - 1
        return {
            "name": self.name,
            "kind": self.planned.kind,
            "links": self.planned.links,
            "powers": dict(zip(self.planned.links, self.planned.powers, strict=False)),
            "patience_s": self.told.patience_s,
            "interference": told,
        }

    def _restart(self, now_s: float) -> None:
        """Number slots from 0 again, with new noise."""
        self._zero_s, self._first = now_s + LEAD_S, 0
        self._restarts += 1
        for link in self.links:
            link.begin_epoch(link.instance)


def live_groups(scenario: LiveScenario, links: Mapping[str, Link]) -> list[LiveGroup]:
    """Return the groups of a scenario."""
    found = []
    for name, settings in scenario.groups.items():
        planned = plan_group(settings)
        told = planned.as_told(name, window=scenario.window)
        found.append(
            LiveGroup(
                name,
                planned,
                links,
                interference=scenario.interference,
                told=told.model_copy(update={"patience_s": scenario.patience_s}),
            )
        )
    return found


def group_of(groups: Sequence[LiveGroup], name: str) -> LiveGroup | None:
    """Return the group with a name, or with a link of that name."""
    return next((it for it in groups if name in (it.name, *it.planned.links)), None)
