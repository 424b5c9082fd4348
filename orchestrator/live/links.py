"""One link of a live system: what it should send, what it says it sends, what came of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, NamedTuple

from orchestrator.live.accounts import Account
from orchestrator.live.changes import LinkChanges
from orchestrator.live.codec_changes import LinkCodec
from orchestrator.live.courses import snr_at
from orchestrator.live.live_scenario import LiveLink
from orchestrator.live.requests import ChannelRequest
from orchestrator.live.windows import History, Window, metric_map
from orchestrator.plan.plan import PlannedCodec, PlannedLink
from orchestrator.plan.rates import rate_of
from semcom.channel_choice import changed
from semcom.errors import ConfigurationError, ProtocolError
from semcom.messages import FrameResult, StreamState
from semcom.points import AnyChannel, ChannelSettings, PointSpec
from semcom.tasks.task import Task

LAST_FRAME = 2**30  # of an epoch


class AnsweredFrame(NamedTuple):
    """A frame of a stream and its answer, with all that it takes to compute it once more."""

    link: str
    planned: PlannedLink
    frame_images: int
    spec: PointSpec
    result: FrameResult


class Link:
    """A link's wishes and facts; the stream turns them into points."""

    def __init__(
        self,
        name: str,
        settings: LiveLink,
        planned: PlannedLink,
        *,
        task: Task,
        window_s: float,
        now_s: float,
    ) -> None:
        self.name = name
        self.settings = settings
        self.planned = planned
        self.codecs = LinkCodec(planned.codecs[0])
        self.channel: AnyChannel = settings.channel
        self.rate = rate_of(settings.increments)
        self.held_db: float | None = None  # instead of the course
        self.move(0.0)
        self.account = Account()
        self.changes = LinkChanges()
        self._window_s = window_s
        self._newest = -1  # point of a frame in the window
        self._begin_window(task, now_s)
        self.failure = self.instance = ""  # instance: of the transmitter of the epoch
        self.epochs = 0
        self.epoch: int | None = None  # its first point
        self.point: int | None = None
        self.spec: PointSpec | None = None
        self.said: StreamState | None = None  # of this epoch
        self.latest: AnsweredFrame | None = None

    @property
    def codec(self) -> PlannedCodec:
        """The codec that it sends with."""
        return self.codecs.now

    @property
    def oldest(self) -> int | None:
        """First point that a frame may still need; None where there is no epoch."""
        return self.said.oldest if self.said is not None else self.epoch

    @property
    def wanted(self) -> PointSpec:
        """Channel condition that the link should have; each epoch has its own noise."""
        snr_db = self._course_db if self.held_db is None else self.held_db
        seed = self.settings.seed + max(0, self.epochs - 1)
        return PointSpec(channel=self.channel, snr_db=snr_db, seed=seed, rate=self.rate)

    def move(self, at_s: float) -> None:
        """Move along the course, to a time since the start."""
        self._course_db = snr_at(self.settings.course, at_s, seed=self.settings.seed)

    def begin_epoch(self, instance: str) -> int:
        """Number frames from 0 again, for this life of the transmitter; frames given up."""
        self.instance, self.failure = instance, ""
        self.epochs += 1
        self.epoch = self.point = self.spec = self.said = None
        return self.account.begin()

    def move_to(self, point: int, spec: PointSpec) -> None:
        """Have a new point; with the codec of a change it is the first one of that."""
        self.point, self.spec = point, spec
        self.epoch = point if self.epoch is None else self.epoch
        self.codecs.moved_to(point)

    def hear(self, said: StreamState) -> None:
        """Take what its transmitter says, if that is of this epoch."""
        if said.epoch != self.epoch:
            return
        self.said = said
        self.account.report(offered=said.offered, shed=said.shed, unrecorded=said.unrecorded)
        if said.offered >= LAST_FRAME:
            self.begin_epoch(self.instance)

    def fail(self, why: str) -> None:
        """Stand still and say why; a codec that it was changing to is taken back instead."""
        if self.codecs.take_back(why):
            self.begin_epoch(self.instance)
        else:
            self.failure = why

    def images_of(self, frame: int) -> int:
        """Return how many images a frame has; the last one of a turn may be shorter."""
        size, images = self.settings.frame_images, self.planned.images
        frames = -(-images // size)
        return min(size, images - (frame % frames) * size)

    def set_channel(self, wanted: ChannelRequest) -> None:
        """Hold an SNR, take another model or other settings, or follow the course again.

        Raises:
            ConfigurationError: the model has no such settings; nothing is changed.
        """
        if wanted.model is not None or wanted.settings:
            self.channel = changed(
                self.channel, model=wanted.model, settings=wanted.settings, where=self.name
            )
        if wanted.course is not None:
            self.held_db = None
        if wanted.snr_db is not None:
            self.held_db = round(wanted.snr_db, 1)

    @property
    def _channel_settings(self) -> dict[str, Any]:
        """Return what was set of the model; what is left out is as by default."""
        if isinstance(self.channel, ChannelSettings):
            return self.channel.model_dump(mode="json", exclude={"model"})
        return dict(self.channel.settings)

    def take(self, result: FrameResult, task: Task, now_s: float) -> bool:
        """Count a frame's result and show it; whether it has come for the first time.

        Raises:
            ProtocolError: no such frame can be under way.
        """
        try:
            first_time = self.account.record(result.frame)
        except ValueError as error:
            raise ProtocolError("unexpected", str(error)) from error
        if first_time:
            self.latest = _as_answered(self, result) or self.latest
            self.failure = ""
            self.codecs.served(result.point)
            self.show(result, task, now_s)
        return first_time

    def show(self, result: FrameResult, task: Task, now_s: float) -> None:
        """Take a frame into the window.

        The first frame of a codec with another task begins a new window and a new history, so that
        values of two metrics never share a curve. Frames of the task before that come late are not
        shown.
        """
        if task.kind != self.window.task.kind:
            if result.point < self._newest:
                return
            self._begin_window(task, now_s)
        self._newest = max(self._newest, result.point)
        self.window.add(result, now_s)

    def sample(self, now_s: float, *, at_s: float) -> None:
        """One more sample of the history, `at_s` after the start, and a mark of what changed."""
        self.changes.note(at_s, **_conditions(self))
        self.history.add(
            at_s,
            None if self.spec is None else self.spec.snr_db,
            self.window.stats(now_s),
            offered=self.account.offered,
            recorded=self.account.recorded,
        )

    def _begin_window(self, task: Task, now_s: float) -> None:
        self.window = Window(self._window_s, start_s=now_s, task=task)
        self.history = History()

    def state(self, *, streaming: bool, heard: bool) -> str:
        """One word for the table."""
        if self.failure:
            return "failed"
        if not heard:
            return "away"
        if not streaming:
            return "paused"
        return "waiting" if self.said is None else "streaming"

    def status(self, now_s: float, *, streaming: bool, heard: bool) -> dict[str, Any]:
        """A row of the status."""
        stats = self.window.stats(now_s)
        account, said = self.account, self.said
        return {
            "link": self.name,
            "state": self.state(streaming=streaming, heard=heard),
            "failure": self.failure,
            "dataset": self.planned.dataset,
            "codec": self.codec.name,
            "codec_digest": self.codec.digest,
            "system": self.codec.system,
            "channel": self.channel.label,
            "model": self.channel.model,
            "channel_settings": self._channel_settings,
            "course": self.settings.course.kind if self.held_db is None else "held",
            "snr_set_db": None if self.spec is None else self.spec.snr_db,
            "rate_hz": self.settings.rate_hz,
            "metric": metric_map(self.window.metric),
            "window": asdict(stats),
            "in_flight": 0 if said is None else said.in_flight,
            "refusals": 0 if said is None else said.refusals,
            "offered": account.offered,
            "shed": account.shed,
            "recorded": account.recorded,
            "open": account.open,
            "lost": account.lost,
            "duplicates": account.duplicates,
            "unaccounted": account.unaccounted,
            "history": self.history.columns,
            "changes": self.changes.rows,
        }


def answered(link: Link) -> AnsweredFrame:
    """Return the latest frame of a link that was answered.

    Raises:
        ConfigurationError: there is no such frame yet.
    """
    if link.latest is None:
        raise ConfigurationError(f"link {link.name}: no frame has been answered yet")
    return link.latest


def _as_answered(link: Link, result: FrameResult) -> AnsweredFrame | None:
    """Return a frame of the link's present point; None of an earlier one."""
    if result.point != link.point or link.spec is None:
        return None
    planned = link.planned.model_copy(update={"codecs": [link.codec]})
    return AnsweredFrame(link.name, planned, link.settings.frame_images, link.spec, result)


def _conditions(link: Link) -> dict[str, str]:
    """Return what charts mark when it changes, in words."""
    course = link.settings.course.kind if link.held_db is None else "held"
    channel = link.channel.label
    return {"codec": link.codec.name, "channel": channel, "SNR": course.replace("_", " ")}
