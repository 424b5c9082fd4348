"""A live stream without sockets or clocks: events and time in, messages out.

Every channel condition of a link is a point. When its course or a user changes the SNR, the link
gets a new point: first the channel learns it, then the transmitter is moved to it. Points that no
frame needs any more are forgotten at both ends, so that a stream can go on for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from orchestrator.control.codec_holders import CodecHolders
from orchestrator.control.work import Order
from orchestrator.live.links import CodecChange, Link
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.live.requests import ChannelRequest
from orchestrator.plan.plan import PlannedCodec, PlannedLink
from orchestrator.results.frame_rows import ANY_CLASSES, misjudged
from semcom.errors import ConfigurationError, ProtocolError
from semcom.messages import (
    CodecReport,
    FrameResult,
    Hello,
    LoadCodec,
    Message,
    StreamAssignment,
)
from semcom.point_tables import point_tables
from semcom.points import PointSpec
from semcom.tasks.task import Task

MAX_POINTS = 1024  # that may be needed at a time
LAST_FRAME = 2**30  # of an epoch
SAMPLE_S = 1.0  # of the histories


@dataclass(frozen=True)
class _Point:
    link: str
    codec: str
    spec: PointSpec


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
        self.paused = False
        self._scenario = scenario
        self.arithmetic = scenario.arithmetic
        self._start_s = now_s
        self._next_course_s = self._next_sample_s = now_s
        self._points: dict[int, _Point] = {}
        self._lowest = self._total = 0
        self._known = 0  # points that the channel knows
        self._holders = CodecHolders()
        self._away: set[str] = set()  # links whose transmitter has been silent for too long

    @property
    def next_s(self) -> float:
        """When courses or histories go on."""
        return min(self._next_course_s, self._next_sample_s)

    @property
    def drained(self) -> bool:
        """Paused, and every transmitter that is there has the receipts of all its frames."""
        return self.paused and all(
            link.said is None or (link.said.paused and link.account.open == 0)
            for link in self.links.values()
        )

    def hello(self, hello: Hello) -> list[Message]:
        """What the peer that says hello lacks.

        Raises:
            ConfigurationError: a transmitter of a link that is not of this system.
        """
        if hello.role == "channel":
            known = hello.points if hello.run == self.run else 0
            self._known = min(known, self._total)
            return [] if known >= self._total else self._table(self._lowest)
        if hello.role == "receiver":
            self._holders.hello(hello)
            return self._codecs_for(hello)
        if hello.role == "transmitter":
            return self._stream_for(hello)
        return []

    def tick(self, now_s: float) -> list[Order]:
        """Move links along their courses; tell everybody who has to know."""
        for link in self.links.values():
            self._further_change(link)
        if now_s >= self._next_course_s:
            every_s = self._scenario.course_every_s
            self._next_course_s = max(now_s, self._next_course_s + every_s)
            for link in self.links.values():
                link.move(now_s - self._start_s)
        if now_s >= self._next_sample_s:
            self._next_sample_s = max(now_s, self._next_sample_s + SAMPLE_S)
            for link in self.links.values():
                link.sample(now_s, at_s=now_s - self._start_s)
        first_new = self._total
        self._forget_points()
        for link in self.links.values():
            self._renew(link)
        if self._total == first_new:
            return []
        return [Order("channel", None, table) for table in self._table(first_new)]

    def moves(self) -> list[Order]:
        """Links whose point the channel has just learnt: move them."""
        orders = []
        for link in self.links.values():
            assignment = self._assignment(link)
            if assignment is not None and (link.said is None or link.said.point != link.point):
                orders.append(Order("transmitter", link.name, assignment))
        return orders

    def results(
        self, link: str, codec: str, results: Iterable[FrameResult], *, now_s: float
    ) -> int:
        """Results of a link; how many of them were new.

        Raises:
            ProtocolError: of frames that cannot be.
        """
        state, new = self.links[link], 0
        for result in results:
            epoch = state.epoch
            if epoch is None or result.point < epoch or result.point < self._lowest:
                state.account.duplicate()
                continue
            self._check(state, codec, result)
            try:
                first_time = state.account.record(result.frame)
            except ValueError as error:
                raise ProtocolError("unexpected", str(error)) from error
            if first_time:
                new += 1
                state.failure = ""
                state.show(result, self._task(codec), now_s)
                change = state.change
                if change is not None and change.point is not None and result.point >= change.point:
                    change.outcome, state.change = "", None
        return new

    def codec_report(self, peer: str, report: CodecReport) -> None:
        """A receiver loaded a codec, or refused it."""
        self._holders.report(peer, report)

    def receiver_gone(self, peer: str) -> None:
        """A receiver has been silent for too long."""
        self._holders.gone(peer)

    def transmitter_gone(self, link: str) -> None:
        """A transmitter has been silent for too long: its link needs no new points."""
        self._away.add(link)

    def failed(self, link: str, detail: str) -> None:
        """A transmitter cannot do its part; a codec that it was changing to is taken back."""
        state = self.links[link]
        change = state.change
        if change is not None and change.point is not None:
            change.outcome, state.change = detail, None
            state.codec = change.before
            state.begin_epoch(state.instance)
        else:
            state.failure = detail

    def set_channel(self, wanted: ChannelRequest) -> None:
        """Change a link's channel while it runs.

        Raises:
            ConfigurationError: there is no such link, or its model has no such settings.
        """
        self._link(wanted.link).set_channel(wanted)

    def change_codec(
        self, link: str, codec: PlannedCodec, task: Task
    ) -> tuple[CodecChange, list[Order]]:
        """Begin to change a link's codec; its `outcome` tells when that has come to an end.

        Raises:
            ConfigurationError: no such link, or another change is under way.
        """
        state = self._link(link)
        if state.change is not None:
            raise ConfigurationError(f"link {link} is changing to {state.change.codec.name}; wait")
        self._tasks[codec.digest] = task
        change = CodecChange(codec, state.codec)
        if codec.digest == state.codec.digest:
            change.outcome = ""
            return change, []
        state.change = change
        self._holders.forget_refusals(codec.digest)
        return change, [Order("receiver", None, LoadCodec(codec=codec.name, digest=codec.digest))]

    def pause(self) -> list[Order]:
        """Offer nothing more."""
        self.paused = True
        return self._say_again()

    def resume(self) -> None:
        """Go on, in new epochs: transmitters may have done other work meanwhile."""
        self.paused = False
        for link in self.links.values():
            if link.epoch is not None:
                link.begin_epoch(link.instance)

    def status(self, now_s: float, *, heard: Sequence[str]) -> list[dict[str, Any]]:
        """A row for each link."""
        return [
            link.status(now_s, streaming=not self.paused, heard=name in heard)
            | {"failure": link.failure or self._holders.why_refused(link.codec.digest)}
            for name, link in self.links.items()
        ]

    def _task(self, codec: str) -> Task:
        return self._tasks.get(codec, ANY_CLASSES)

    def _link(self, name: str) -> Link:
        link = self.links.get(name)
        if link is None:
            raise ConfigurationError(f"no link '{name}'; links: {', '.join(self.links)}")
        return link

    def _renew(self, link: Link) -> None:
        """Give a link a new point where another channel or codec is wanted."""
        if not link.instance or link.name in self._away or self.paused:
            return
        spec, digest = link.wanted, link.codec.digest
        if link.point is not None and link.spec == spec:
            current = self._points.get(link.point)
            if current is not None and current.codec == digest:
                return
        link.point, link.spec = self._total, spec
        link.epoch = link.point if link.epoch is None else link.epoch
        self._points[link.point] = _Point(link.name, digest, spec)
        self._total += 1
        change = link.change
        if change is not None and change.point is None and link.codec is change.codec:
            change.point = link.point

    def _forget_points(self) -> None:
        """Points below the oldest one needed are forgotten; nobody may need too old a one."""
        for link in self.links.values():
            oldest = link.oldest
            if oldest is not None and self._total - oldest > MAX_POINTS:
                link.begin_epoch(link.instance)
        needed = [link.oldest for link in self.links.values() if link.oldest is not None]
        lowest = min(needed, default=self._total)
        for point in range(self._lowest, lowest):
            del self._points[point]
        self._lowest = lowest

    def _table(self, first: int) -> list[Message]:
        points = [self._points[point].spec for point in range(first, self._total)]
        return [*point_tables(self.run, points, first=first, lowest=self._lowest)]

    def _codecs_for(self, hello: Hello) -> list[Message]:
        wanted = [link.codec for link in self.links.values()]
        wanted += [link.change.codec for link in self.links.values() if link.change is not None]
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
        if said is not None and said.run == self.run and said.epoch == link.epoch:
            link.said = said
            link.account.report(offered=said.offered, shed=said.shed, unrecorded=said.unrecorded)
            if said.offered >= LAST_FRAME:
                link.begin_epoch(hello.instance)
        assignment = self._assignment(link)
        if assignment is None:
            return []
        held = (assignment.run, assignment.epoch, assignment.point, assignment.paused)
        if said is not None and (said.run, said.epoch, said.point, said.paused) == held:
            return []
        return [assignment]

    def _say_again(self) -> list[Order]:
        return [
            Order("transmitter", link.name, assignment)
            for link in self.links.values()
            if (assignment := self._assignment(link)) is not None
        ]

    def _assignment(self, link: Link) -> StreamAssignment | None:
        """What a link should do now; None before channel and receivers are ready for it."""
        if link.point is None or link.epoch is None or link.spec is None:
            return None
        if link.point >= self._known or not self._holders.loaded(link.codec.digest):
            return None
        return StreamAssignment(
            run=self.run,
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

    def _further_change(self, link: Link) -> None:
        """Once all receivers have loaded or refused the new codec, change over or give up."""
        change = link.change
        if change is None or change.point is not None or link.codec is change.codec:
            return
        digest = change.codec.digest
        if not self._holders.decided(digest):
            return
        if self._holders.loaded(digest):
            link.codec = change.codec
        elif refused := self._holders.why_refused(digest):
            change.outcome, link.change = refused, None

    def _check(self, link: Link, codec: str, result: FrameResult) -> None:
        """Refuse what no frame of this point can have come to."""
        point = self._points.get(result.point)
        wanted = f"point {result.point} of link {link.name}"
        if point is None or point.link != link.name or point.codec != codec:
            raise ProtocolError("unexpected", f"{wanted} is not one with this codec")
        frame_images = link.settings.frame_images
        images = min(frame_images, link.planned.images - _first_image(link, result.frame))
        if result.images != images:
            raise ProtocolError("unexpected", f"frame {result.frame} of {wanted} has other images")
        if wrong := misjudged(self._task(codec), result.answer, result.score, images):
            raise ProtocolError("unexpected", f"frame {result.frame} of {wanted} {wrong}")


def _first_image(link: Link, frame: int) -> int:
    frames = -(-link.planned.images // link.settings.frame_images)
    return (frame % frames) * link.settings.frame_images
