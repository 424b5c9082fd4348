"""Hosts of a run's processes: differences in rounding are reported as soon as both are connected.

A frame that is sent again may be answered by another receiver, and a link may move to another host,
so only processes that may answer the same frames are compared.
"""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.control.peers import MAX_PEERS
from orchestrator.results.origins import rounds_otherwise
from semcom.fingerprint import Origin, differences
from semcom.messages import HostReport


class Hosts:
    """The hosts that have reported, each once; bounded."""

    def __init__(self, known: Iterable[Origin] = ()) -> None:
        """Start with the hosts of an earlier part of the run."""
        self._known = list(known)

    def take(self, report: HostReport) -> Origin | None:
        """Return the record of a host that was not known yet."""
        process = f"{report.role} {report.peer}"
        origin = report.origin.model_copy(update={"process": process, "part": None})
        if origin in self._known or len(self._known) >= MAX_PEERS:
            return None
        self._known.append(origin)
        return origin

    def told_apart(self, origin: Origin) -> str:
        """Return a line if another host that may answer in its place rounds differently."""
        for other in self._known:
            if _kind(other) != _kind(origin) or other == origin:
                continue
            one, two = origin.fingerprint, other.fingerprint
            if one.rounding == two.rounding and _kind(origin) == CHANNEL:
                continue  # the channel's operations are exact on every host
            if differing := differences(one, two):
                return rounds_otherwise(origin, other, differing)
        return ""


CHANNEL, RECEIVER = "channel", "receiver"


def _kind(origin: Origin) -> str:
    """Return what a process has in common with those that may replace it."""
    process = origin.process or ""
    role = process.partition(" ")[0]
    return role if role in (CHANNEL, RECEIVER) else process
