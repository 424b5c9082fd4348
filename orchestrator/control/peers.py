"""Peers of the orchestrator: times of their last messages, and those that compute differently.

Bounded.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, TypeVar

from semcom.errors import ProtocolError
from semcom.heartbeats import DEAD_AFTER_S
from semcom.messages import Hello, Role
from semcom.metric_table import PEERS
from semcom.telemetry import Telemetry

T = TypeVar("T")
PeerName = tuple[Role, str]
MAX_PEERS = 1024  # number of peers remembered, by role and name


class Peers:
    """The processes that send Hello. Times are those of the monotonic clock."""

    def __init__(self, now_s: float) -> None:
        self._begun_s = now_s
        self._here: dict[
            PeerName, tuple[bytes, float]
        ] = {}  # connection, and time of the last message
        self._objected: dict[
            PeerName, tuple[str, float]
        ] = {}  # reason, and time of the last message

    def make_room(self, hello: Hello, now_s: float) -> PeerName | None:
        """Forget and return the longest silent peer if a new one would exceed the bound.

        Raises:
            ProtocolError: `overloaded`, all of them are active.
        """
        name = (hello.role, hello.peer)
        _make_room(self._objected, name, now_s)
        return _make_room(self._here, name, now_s)

    def take(self, hello: Hello, sender: bytes, now_s: float) -> None:
        """Remember a peer of this run."""
        name = (hello.role, hello.peer)
        self._objected.pop(name, None)
        self._here[name] = (sender, now_s)

    def object_to(self, hello: Hello, why: str, now_s: float) -> bool:
        """Remember why a process is not a peer; return whether that is new."""
        name = (hello.role, hello.peer)
        self._here.pop(name, None)
        new = name not in self._objected
        self._objected[name] = (why, now_s)
        return new

    def forget(self, role: Role, peer: str) -> None:
        """Forget a peer."""
        del self._here[role, peer]

    def silent(self, now_s: float, *, longer_than_s: float) -> list[PeerName]:
        """Return the peers that have been silent for longer than this."""
        here = self._here.items()
        return [name for name, (_, heard_s) in here if now_s - heard_s > longer_than_s]

    def connections(self, role: Role, peer: str | None = None) -> list[bytes]:
        """Return the connections of a peer, or of all peers of a role."""
        return [
            sender
            for (kind, name), (sender, _) in self._here.items()
            if kind == role and peer in (None, name)
        ]

    def receivers_at(self, sender: bytes) -> list[str]:
        """Return the names of receivers on a connection."""
        return [
            name
            for (role, name), (known_as, _) in self._here.items()
            if role == "receiver" and known_as == sender
        ]

    def absent(self, links: Collection[str], now_s: float) -> list[str]:
        """Return the roles and links from which nothing has arrived recently."""
        peers = list(self._here.items())  # `/readyz` calls this on another thread
        fresh = {peer for peer, (_, heard_s) in peers if now_s - heard_s <= DEAD_AFTER_S}
        roles = {role for role, _ in fresh}
        absent: list[str] = [role for role in ("channel", "receiver") if role not in roles]
        missing = [link for link in links if ("transmitter", link) not in fresh]
        return absent + [f"transmitter {link}" for link in missing]

    def heard(self, now_s: float) -> list[str]:
        """Return the links whose transmitter sent something recently."""
        return [
            peer
            for (role, peer), (_, heard_s) in self._here.items()
            if role == "transmitter" and now_s - heard_s <= DEAD_AFTER_S
        ]

    def objections(self, now_s: float) -> list[str]:
        """Return why recently seen processes are not peers."""
        return [why for why, at_s in self._objected.values() if now_s - at_s <= DEAD_AFTER_S]

    def rows(self, now_s: float) -> list[dict[str, Any]]:
        """Return the known peers and the times of their last messages."""
        return [
            {
                "role": role,
                "peer": peer,
                "silent_s": round(now_s - heard_s, 1),
                "up": now_s - heard_s <= DEAD_AFTER_S,
            }
            for (role, peer), (_, heard_s) in sorted(self._here.items())
        ]

    def show(self, telemetry: Telemetry, now_s: float) -> None:
        """Set the metrics of peers, role by role."""
        for role in PEERS["orchestrator"]:
            silent_s = [now_s - at_s for (kind, _), (_, at_s) in self._here.items() if kind == role]
            telemetry.set("semcom_peers", sum(s <= DEAD_AFTER_S for s in silent_s), role)
            age_s = min(silent_s, default=now_s - self._begun_s)
            telemetry.set("semcom_heartbeat_age_seconds", age_s, role)


def _make_room(
    known: dict[PeerName, tuple[T, float]], name: PeerName, now_s: float
) -> PeerName | None:
    """Forget the oldest peer, unless it is connected; return its name."""
    if name in known or len(known) < MAX_PEERS:
        return None
    oldest = min(known, key=lambda peer: known[peer][1])
    if now_s - known[oldest][1] <= DEAD_AFTER_S:
        raise ProtocolError("overloaded", f"{MAX_PEERS} processes are already known here")
    del known[oldest]
    return oldest
