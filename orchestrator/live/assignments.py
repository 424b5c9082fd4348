"""Compare what the transmitters of a stream should do with what they report."""

from __future__ import annotations

from collections.abc import Iterable

from orchestrator.control.codec_holders import CodecHolders
from orchestrator.control.work import Order
from orchestrator.live.links import Link
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.live.stream_points import StreamPoints
from semcom.messages import Hello, Message, StreamAssignment


class StreamAssignments:
    """Assignments of links whose point the channel and whose codec the receivers have."""

    def __init__(
        self, run: str, scenario: LiveScenario, *, points: StreamPoints, holders: CodecHolders
    ) -> None:
        self.paused = False
        self._run = run
        self._scenario = scenario
        self._points = points
        self._holders = holders

    def of(self, link: Link) -> StreamAssignment | None:
        """Return what a link should do now; None before channel and receivers are ready for it."""
        if link.point is None or link.epoch is None or link.spec is None:
            return None
        if not self._points.is_known(link.point) or not self._holders.loaded(link.codec.digest):
            return None
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
        )

    def lacking(self, link: Link, hello: Hello) -> list[Message]:
        """The assignment of a transmitter that says hello, unless it works at just that."""
        assignment, said = self.of(link), hello.stream
        if assignment is None:
            return []
        wanted = (assignment.run, assignment.epoch, assignment.point, assignment.paused)
        if said is not None and (said.run, said.epoch, said.point, said.paused) == wanted:
            return []
        return [assignment]

    def moves(self, links: Iterable[Link]) -> list[Order]:
        """Orders to links whose point is not the one that they say."""
        return self.orders(
            link for link in links if link.said is None or link.said.point != link.point
        )

    def orders(self, links: Iterable[Link]) -> list[Order]:
        """Orders to links, whatever they say they do."""
        return [
            Order("transmitter", link.name, assignment)
            for link in links
            if (assignment := self.of(link)) is not None
        ]
