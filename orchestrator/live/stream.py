"""A live stream without sockets or clocks: events and time in, messages out.

Every channel condition of a link is a point. When its course or a user changes the SNR, the link
gets a new point: first the channel gets it, then the transmitter is moved to it. Points that no
frame needs any more are forgotten at both ends, so that a stream can run forever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from orchestrator.control.codec_holders import CodecHolders
from orchestrator.control.work import Order
from orchestrator.live.assignments import StreamAssignments
from orchestrator.live.codec_changes import CodecChange
from orchestrator.live.intervals import Interval
from orchestrator.live.link_rows import link_row
from orchestrator.live.links import Link
from orchestrator.live.live_groups import group_of, live_groups
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.live.requests import ChannelRequest
from orchestrator.live.stream_points import StreamPoints
from orchestrator.plan.plan import PlannedCodec, PlannedLink
from orchestrator.results.frame_rows import ANY_CLASSES
from semcom.errors import ConfigurationError
from semcom.messages import (
    CodecReport,
    FrameResult,
    Hello,
    LoadCodec,
    Message,
)
from semcom.tasks.task import Task

SAMPLE_S = 1.0  # of the histories


class Stream:
    """All links of a live system."""

    def __init__(
        self,
        scenario: LiveScenario,
        planned: Mapping[str, PlannedLink],
        *,
        run: str,
        now_s: float,
        tasks: Mapping[str, Task] | None = None,
    ) -> None:
        self.run = run
        self._tasks = dict(tasks or {})  # by the codec's digest
        self.links = {
            name: Link(
                name,
                link,
                planned[name],
                task=self._task(planned[name].codecs[0].digest),
                window_s=scenario.window_s,
                now_s=now_s,
            )
            for name, link in scenario.links.items()
        }
        self.groups = live_groups(scenario, self.links)
        self.arithmetic = scenario.arithmetic
        self._start_s = now_s
        self._courses = Interval(scenario.course_every_s, now_s)
        self._samples = Interval(SAMPLE_S, now_s)
        self._points = StreamPoints(run, [group.told for group in self.groups])
        self._holders = CodecHolders()
        self._assignments = StreamAssignments(
            run, scenario, points=self._points, holders=self._holders
        )
        self._away: set[str] = set()  # links whose transmitter has been silent for too long

    @property
    def next_s(self) -> float:
        """Return the time at which courses or histories are due."""
        return min(self._courses.next_s, self._samples.next_s)

    @property
    def paused(self) -> bool:
        """Return whether no new frames are offered."""
        return self._assignments.paused

    @property
    def drained(self) -> bool:
        """Return whether it is paused and every connected transmitter has its receipts."""
        return self.paused and all(
            link.said is None or (link.said.paused and link.account.open == 0)
            for link in self.links.values()
        )

    def hello(self, hello: Hello) -> list[Message]:
        """Return what the peer that sent Hello lacks.

        Raises:
            ConfigurationError: the transmitter's link is not part of this system.
        """
        if hello.role == "channel":
            return self._points.lacking(hello)
        if hello.role == "receiver":
            self._holders.hello(hello)
            return self._codecs_for(hello)
        if hello.role == "transmitter":
            return self._stream_for(hello)
        return []

    def tick(self, now_s: float) -> list[Order]:
        """Advance links along their courses; return messages to the processes concerned."""
        moved = self._courses.due(now_s)
        for link in self.links.values():
            link.codecs.go_on(self._holders)
            if moved:
                link.move(now_s - self._start_s)
        for link in self.links.values() if self._samples.due(now_s) else ():
            link.sample(now_s, at_s=now_s - self._start_s)
        first_new = self._points.total
        self._points.forget(self.links.values())
        if not self.paused:
            here = [link for link in self.links.values() if link.name not in self._away]
            self._points.renew(here, self.groups, now_s)
        if self._points.total == first_new:
            return []
        return [Order("channel", None, table) for table in self._points.tables(first_new)]

    def moves(self) -> list[Order]:
        """Move links whose point the channel now knows."""
        return self._assignments.moves(self.links.values())

    def results(
        self, link: str, codec: str, results: Iterable[FrameResult], *, now_s: float
    ) -> int:
        """Process results of a link; return how many were new.

        Raises:
            ProtocolError: they belong to impossible frames.
        """
        state, new = self.links[link], 0
        for result in results:
            epoch = state.epoch
            if epoch is None or result.point < epoch or result.point < self._points.lowest:
                state.account.duplicate()
                continue
            self._points.check(state, codec, self._task(codec), result)
            new += state.take(result, self._task(codec), now_s)
        return new

    def codec_report(self, peer: str, report: CodecReport) -> None:
        """Note that a receiver loaded or refused a codec."""
        self._holders.report(peer, report)

    def receiver_gone(self, peer: str) -> None:
        """Note that a receiver has been silent for too long."""
        self._holders.gone(peer)

    def transmitter_gone(self, link: str) -> None:
        """Note that a transmitter has been silent for too long, so its link needs no new points."""
        self._away.add(link)

    def failed(self, link: str, detail: str) -> None:
        """Note that a transmitter failed; go back to the previous codec if it was changing."""
        self.links[link].fail(detail)

    def set_channel(self, wanted: ChannelRequest) -> None:
        """Change the channel of a link, or of all links of its group, while it runs.

        Raises:
            ConfigurationError: there is no such link, or its model has no such settings.
        """
        (group_of(self.groups, wanted.link) or self.link(wanted.link)).set_channel(wanted)

    def change_codec(
        self, link: str, codec: PlannedCodec, task: Task
    ) -> tuple[CodecChange, list[Order]]:
        """Begin to change a link's codec; its `outcome` is set when the change has ended.

        Raises:
            ConfigurationError: no such link, or another change is under way.
        """
        state = self.link(link)
        if state.codecs.change is not None:
            raise ConfigurationError(
                f"link {link} is changing to {state.codecs.change.codec.name}; wait"
            )
        self._tasks[codec.digest] = task
        change = state.codecs.begin(codec)
        if change.outcome is not None:
            return change, []
        self._holders.forget_refusals(codec.digest)
        return change, [Order("receiver", None, LoadCodec(codec=codec.name, digest=codec.digest))]

    def pause(self) -> list[Order]:
        """Offer no more frames."""
        self._assignments.paused = True
        return self._assignments.orders(self.links.values())

    def resume(self) -> None:
        """Resume in new epochs: transmitters may have done other work meanwhile."""
        self._assignments.paused = False
        for link in self.links.values():
            if link.epoch is not None:
                link.begin_epoch(link.instance)

    def status(self, now_s: float, *, heard: Sequence[str]) -> list[dict[str, Any]]:
        """A row for each link."""
        return [
            link_row(link, now_s, streaming=not self.paused, heard=name in heard)
            | {"failure": link.failure or self._holders.why_refused(link.codec.digest)}
            for name, link in self.links.items()
        ]

    def _task(self, codec: str) -> Task:
        return self._tasks.get(codec, ANY_CLASSES)

    def link(self, name: str) -> Link:
        """Return a link; raise ConfigurationError if there is none with that name."""
        if name not in self.links:
            raise ConfigurationError(f"no link '{name}'; links: {', '.join(self.links)}")
        return self.links[name]

    def _codecs_for(self, hello: Hello) -> list[Message]:
        wanted = [codec for link in self.links.values() for codec in link.codecs.wanted]
        return [*self._holders.offers(hello, {codec.digest: codec.name for codec in wanted})]

    def _stream_for(self, hello: Hello) -> list[Message]:
        if hello.peer not in self.links:
            known = ", ".join(self.links)
            raise ConfigurationError(
                f"transmitter '{hello.peer}' is not a link of {self.run}; links: {known}"
            )
        self._away.discard(hello.peer)
        link, said = self.links[hello.peer], hello.stream
        if link.instance != hello.instance:
            link.begin_epoch(hello.instance)
        if said is not None and said.run == self.run:
            link.hear(said)
        return self._assignments.lacking(link, hello)
