"""The state of a sweep, without sockets, clocks or disk: events in, messages out.

It knows what is planned and what is recorded. Peers report once per second what they have (Hello);
the sweep compares and sends what they lack, so that any peer may be restarted and any message may
be lost at any time.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise

from orchestrator.control.codec_holders import CodecHolders
from orchestrator.plan.plan import Plan
from semcom.errors import ConfigurationError
from semcom.messages import (
    MAX_ITEMS,
    Assignment,
    CodecReport,
    Hello,
    Message,
)
from semcom.point_tables import point_tables

POINTS_AHEAD = 2  # so that a transmitter never waits between two points
GROUP_POINTS_AHEAD = 4  # a link learns that others have finished only with its next message


@dataclass
class _Link:
    """The progress of a link."""

    missing: dict[int, set[int]]  # point -> frames not recorded
    assigned: set[int] = field(default_factory=set)
    instance: str = ""


class Sweep:
    """The state of a run."""

    def __init__(
        self,
        plan: Plan,
        *,
        recorded: dict[tuple[int, str], set[int]],
        window: int,
        encode_once: bool,
        sharded: bool = False,
    ) -> None:
        self.plan = plan
        self._sharded = sharded  # then a receiver with a codec serves only some links
        self._window = window
        self._encode_once = encode_once
        self._links: dict[str, _Link] = {}
        self._groups = {link: group for group in plan.groups.values() for link in group.links}
        self._holders = CodecHolders()
        for name in plan.links:
            every = set(range(plan.frames(name)))
            missing = {
                point: every - recorded.get((point, name), set()) for point in plan.points_of(name)
            }
            self._links[name] = _Link({point: left for point, left in missing.items() if left})

    @property
    def complete(self) -> bool:
        """Return whether every planned frame is recorded."""
        return not any(link.missing for link in self._links.values())

    @property
    def refused(self) -> dict[str, str]:
        """Digests of codecs that a receiver refused, with the reasons."""
        return self._holders.refused

    @property
    def stuck(self) -> bool:
        """Return whether all missing frames need a codec that every receiver refuses."""
        if self.complete or not self.refused:
            return False
        blocked = self._blocked
        return all(
            self.plan.codec_at(name, point).digest in blocked
            for name, link in self._links.items()
            for point in link.missing
        )

    def is_complete(self, link: str, point: int) -> bool:
        """Return whether every frame of a point is recorded for a link."""
        return point not in self._links[link].missing

    @property
    def missing_frames(self) -> int:
        """Number of frames that are not yet recorded."""
        return sum(len(left) for link in self._links.values() for left in link.missing.values())

    def hello(self, hello: Hello) -> list[Message]:
        """Return messages with what a reporting peer lacks.

        Raises:
            ConfigurationError: a transmitter of a link that is not in the plan.
        """
        if hello.role == "channel":
            return self._points_for(hello)
        if hello.role == "receiver":
            self._holders.hello(hello)
            return self._codecs_for(hello)
        if hello.role == "transmitter":
            return self._assignments_for(hello)
        return []

    def codec_report(self, peer: str, report: CodecReport) -> None:
        """A receiver loaded a codec, or refused it."""
        self._holders.report(peer, report)

    def receiver_gone(self, peer: str) -> None:
        """A receiver has been silent for too long."""
        self._holders.gone(peer)

    def recorded(self, link: str, frames: Iterable[tuple[int, int]]) -> list[Message]:
        """Note recorded frames (point, frame) of a link; return more work if it needs any."""
        state = self._links[link]
        for point, frame in frames:
            left = state.missing.get(point)
            if left is not None:
                left.discard(frame)
                if not left:
                    del state.missing[point]
        return self._assign(link)

    @property
    def _blocked(self) -> set[str]:
        if self._sharded:
            return set(self.refused)
        return {
            digest
            for digest in self.refused
            if self._holders.decided(digest) and not self._holders.loaded(digest)
        }

    def _points_for(self, hello: Hello) -> list[Message]:
        points = [point.spec for point in self.plan.points]
        if hello.run == self.plan.run and hello.points >= len(points):
            return []
        groups = [
            group.as_told(name, window=self._window) for name, group in self.plan.groups.items()
        ]
        return [*point_tables(self.plan.run, points, groups=groups)]

    def _codecs_for(self, hello: Hello) -> list[Message]:
        planned = {
            codec.digest: codec.name for link in self.plan.links.values() for codec in link.codecs
        }
        return [*self._holders.offers(hello, planned)]

    def _assignments_for(self, hello: Hello) -> list[Message]:
        state = self._links.get(hello.peer)
        if state is None:
            known = ", ".join(self._links)
            raise ConfigurationError(
                f"transmitter '{hello.peer}' is not a link of run {self.plan.run}; links: {known}"
            )
        if state.instance != hello.instance:
            state.instance = hello.instance
            state.assigned.clear()
        # Assignments that the transmitter does not have were lost on the way.
        state.assigned &= set(hello.busy)
        return self._assign(hello.peer)

    def _assign(self, link: str) -> list[Message]:
        state = self._links[link]
        if not state.instance:
            return []
        messages: list[Message] = []
        ahead = GROUP_POINTS_AHEAD if link in self._groups else POINTS_AHEAD
        needed = self._needed(link)
        # If frames meet, a link takes part in a point until all members have finished it.
        state.assigned &= set(needed)
        for point in needed:
            if len(state.assigned) >= ahead:
                break
            if point not in state.assigned and self._servable(link, point):
                state.assigned.add(point)
                messages.append(self._assignment(link, point))
        return messages

    def _needed(self, link: str) -> list[int]:
        """Return points that lack frames of a link, or of links that its frames meet, in order."""
        group = self._groups.get(link)
        if group is None:
            return [*self._links[link].missing]
        return sorted({point for each in group.links for point in self._links[each].missing})

    def _frames(self, link: str, point: int) -> set[int]:
        """Return missing frames of a point, of a link or of links that its frames meet."""
        group = self._groups.get(link)
        links = [link] if group is None else group.links
        return set().union(*(self._links[each].missing.get(point, ()) for each in links))

    def _servable(self, link: str, point: int) -> bool:
        return self._holders.loaded(self.plan.codec_at(link, point).digest)

    def _assignment(self, link: str, point: int) -> Assignment:
        planned, codec = self.plan.links[link], self.plan.codec_at(link, point)
        group = self._groups.get(link)
        frames = self._frames(link, point)
        return Assignment(
            run=self.plan.run,
            point=point,
            spec=self.plan.spec_at(link, point),
            dataset=planned.dataset,
            dataset_digest=planned.dataset_digest,
            codec=codec.name,
            codec_digest=codec.digest,
            images=planned.images,
            frame_images=self.plan.frame_images,
            window=self._window,
            encode_once=self._encode_once,
            offset=planned.offset,
            user=None if group is None else group.links.index(link),
            frames=spans(frames)[:MAX_ITEMS] if group is None else few_spans(frames, MAX_ITEMS),
            lowest=0 if group is None else min(self._needed(link)),
        )


def spans(frames: Iterable[int]) -> list[tuple[int, int]]:
    """Return half-open spans that cover exactly these frames, in order."""
    found: list[tuple[int, int]] = []
    for frame in sorted(frames):
        if found and found[-1][1] == frame:
            found[-1] = (found[-1][0], frame + 1)
        else:
            found.append((frame, frame + 1))
    return found


def few_spans(frames: Iterable[int], most: int) -> list[tuple[int, int]]:
    """Return at most `most` half-open spans that cover these frames and few others.

    Links whose frames meet must get the same frames. A recorded frame that is sent again gets the
    same answer.
    """
    found = spans(frames)
    while len(found) > most:
        gaps = [after[0] - before[1] for before, after in pairwise(found)]
        narrow = gaps.index(min(gaps))
        found[narrow : narrow + 2] = [(found[narrow][0], found[narrow + 1][1])]
    return found
