"""Compare the desired state of a stream's transmitters with their reports."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from orchestrator.control.codec_holders import CodecHolders
from orchestrator.control.work import Order
from orchestrator.live.links import Link
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.live.stream_points import StreamPoints
from semcom.messages import Hello, Message, StreamAssignment


class StreamAssignments:
    """Assignments of links whose point is known to the channel and whose codec is loaded."""

    def __init__(
        self,
        run: str,
        scenario: LiveScenario,
        *,
        points: StreamPoints,
        holders: CodecHolders,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._clock = clock
        self.paused = False
        self._run = run
        self._scenario = scenario
        self._points = points
        self._holders = holders

    def of(self, link: Link) -> StreamAssignment | None:
        """Return the assignment of a link; None before channel and receivers are ready for it."""
        if link.point is None or link.epoch is None or link.spec is None:
            return None
        if not self._points.is_known(link.point) or not self._holders.loaded(link.codec.digest):
            return None
        group, first = link.group, link.first_frame
        return StreamAssignment(
            run=self._run,
            point=link.point,
            spec=link.spec,
            dataset=link.planned.dataset,
            dataset_digest=link.planned.dataset_digest,
            codec=link.codec.name,
            codec_digest=link.codec.digest,
            images=link.planned.images,
            frame_images=link.settings.frame_images,
            window=self._scenario.window,
            encode_once=self._scenario.encode_once,
            epoch=link.epoch,
            rate_hz=link.settings.rate_hz,
            arrivals=link.settings.arrivals,
            paused=self.paused,
            offset=link.planned.offset,
            user=None if group is None else group.user(link),
            first_frame=first,
            due_in_s=None if group is None else group.due_in_s(first, self._clock()),
        )

    def lacking(self, link: Link, hello: Hello) -> list[Message]:
        """Return the assignment of a transmitter that sent Hello, unless it already has it.

        In a group it is sent every time, because slots are due by the orchestrator's clock.
        """
        assignment, said = self.of(link), hello.stream
        if assignment is None:
            return []
        wanted = (assignment.run, assignment.epoch, assignment.point, assignment.paused)
        told = said is not None and (said.run, said.epoch, said.point, said.paused) == wanted
        if told and link.group is None:
            return []
        return [assignment]

    def moves(self, links: Iterable[Link]) -> list[Order]:
        """Return orders to links that report another point."""
        return self.orders(
            link for link in links if link.said is None or link.said.point != link.point
        )

    def orders(self, links: Iterable[Link]) -> list[Order]:
        """Return orders to links, whatever they report."""
        return [
            Order("transmitter", link.name, assignment)
            for link in links
            if (assignment := self.of(link)) is not None
        ]
