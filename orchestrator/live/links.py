"""One link of a live system: its desired state, its reports and its results."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from orchestrator.live.accounts import Account
from orchestrator.live.changes import LinkChanges
from orchestrator.live.codec_changes import LinkCodec
from orchestrator.live.courses import snr_at
from orchestrator.live.live_scenario import LiveLink
from orchestrator.live.requests import ChannelRequest
from orchestrator.live.windows import History, Window
from orchestrator.plan.groups import PlannedGroup
from orchestrator.plan.plan import PlannedCodec, PlannedLink
from orchestrator.plan.rates import rate_of
from semcom.channel_choice import changed
from semcom.errors import ConfigurationError, ProtocolError
from semcom.messages import FrameResult, StreamState
from semcom.points import AnyChannel, PointSpec
from semcom.snr_rates import told_rate
from semcom.tasks.task import Task

if TYPE_CHECKING:
    from orchestrator.live.live_groups import LiveGroup

LAST_FRAME = 2**30  # of an epoch


class AnsweredFrame(NamedTuple):
    """A frame of a stream and its answer, with everything needed to recompute it.

    `planned` has the link, or all links of its group.
    """

    link: str
    planned: dict[str, PlannedLink]
    groups: dict[str, PlannedGroup]
    frame_images: int
    spec: PointSpec
    result: FrameResult


class Link:
    """A link's desired and reported state, from which the stream makes points."""

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
        self.group: LiveGroup | None = None
        self.channel: AnyChannel = settings.channel
        self.rate = rate_of(settings.increments)
        self.held_db: float | None = None  # instead of the course
        self.move(0.0)
        self.account = Account()
        self.changes = LinkChanges()
        self._window_s = window_s
        self._newest = -1  # point of a frame in the window
        self._begin_window(task, now_s)
        self.failure = self.instance = ""  # instance of the epoch's transmitter
        self.epochs = 0
        self.epoch: int | None = None  # its first point
        self.point: int | None = None
        self.first_frame = 0  # of the point, in a group
        self.spec: PointSpec | None = None
        self.said: StreamState | None = None  # of this epoch
        self.latest: AnsweredFrame | None = None

    @property
    def codec(self) -> PlannedCodec:
        """The codec that it sends with."""
        return self.codecs.now

    @property
    def oldest(self) -> int | None:
        """First point that a frame may still need; None without an epoch."""
        return self.said.oldest if self.said is not None else self.epoch

    @property
    def wanted(self) -> PointSpec:
        """Channel condition that the link should have; each epoch has its own noise."""
        snr_db = self._course_db if self.held_db is None else self.held_db
        seed = self.settings.seed + max(0, self.epochs - 1)
        rate = told_rate(self.rate, self.codec.snr_rates, snr_db)
        return PointSpec(channel=self.channel, snr_db=snr_db, seed=seed, rate=rate)

    def move(self, at_s: float) -> None:
        """Advance along the course to a time since the start."""
        self._course_db = snr_at(self.settings.course, at_s, seed=self.settings.seed)

    def begin_epoch(self, instance: str) -> int:
        """Number frames from 0 again for an instance of the transmitter.

        Return the frames given up.
        """
        self.instance, self.failure = instance, ""
        self.epochs += 1
        self.epoch = self.point = self.spec = self.said = None
        return self.account.begin()

    def move_to(self, point: int, spec: PointSpec, *, first_frame: int = 0) -> None:
        """Set a new point, which may be the first one with a new codec."""
        self.point, self.spec, self.first_frame = point, spec, first_frame
        if self.epoch is None:
            self.epoch = point
            self.account.starts_with(first_frame)
        self.codecs.moved_to(point)

    def hear(self, said: StreamState) -> None:
        """Process its transmitter's report, if it belongs to this epoch."""
        if said.epoch != self.epoch:
            return
        self.said = said
        self.account.report(
            offered=said.offered,
            shed=said.shed,
            unrecorded=said.unrecorded,
            lowest=said.lowest if self.group is not None else 0,
        )
        if said.offered >= LAST_FRAME:
            self.begin_epoch(self.instance)

    def fail(self, why: str) -> None:
        """Stop with a reason; if it was changing its codec, go back to the previous one instead."""
        if self.codecs.take_back(why):
            self.begin_epoch(self.instance)
        else:
            self.failure = why

    def images_of(self, frame: int) -> int:
        """Return the number of items of a frame; the last one of a turn may be shorter."""
        size, images = self.settings.frame_images, self.planned.images
        frames = -(-images // size)
        return min(size, images - (frame % frames) * size)

    def set_channel(self, wanted: ChannelRequest) -> None:
        """Hold an SNR, set another model or other settings, or follow the course again.

        Raises:
            ConfigurationError: the model has no such settings, or no links interfere with this one;
                nothing is changed.
        """
        if wanted.met and self.group is None:
            raise ConfigurationError(f"link {self.name} is in no group whose links interfere")
        self.channel = self.channel_changed(wanted)
        if wanted.course is not None:
            self.held_db = None
        if wanted.snr_db is not None:
            self.held_db = round(wanted.snr_db, 1)

    def channel_changed(self, wanted: ChannelRequest) -> AnyChannel:
        """Return the current channel with a request's changes.

        Raises:
            ConfigurationError: the model has no such settings.
        """
        if wanted.model is None and not wanted.settings:
            return self.channel
        return changed(self.channel, model=wanted.model, settings=wanted.settings, where=self.name)

    def take(self, result: FrameResult, task: Task, now_s: float) -> bool:
        """Count and show a frame's result; return whether it is the first one.

        Raises:
            ProtocolError: there can be no such frame.
        """
        try:
            first_time = self.account.record(result.frame)
        except ValueError as error:
            raise ProtocolError("unexpected", str(error)) from error
        if first_time:
            self.account.met_without(result.absent)
            self.latest = _as_answered(self, result) or self.latest
            self.failure = ""
            self.codecs.served(result.point)
            self.show(result, task, now_s)
        return first_time

    def show(self, result: FrameResult, task: Task, now_s: float) -> None:
        """Add a frame to the window.

        The first frame of a codec with another task begins a new window and a new history, so that
        values of two metrics never share a curve. Late frames of the previous task are not shown.
        """
        if task.kind != self.window.task.kind:
            if result.point < self._newest:
                return
            self._begin_window(task, now_s)
        self._newest = max(self._newest, result.point)
        self.window.add(result, now_s)

    def sample(self, now_s: float, *, at_s: float) -> None:
        """Add a sample to the history, `at_s` after the start, and record changes."""
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


def answered(link: Link) -> AnsweredFrame:
    """Return the latest answered frame of a link.

    Raises:
        ConfigurationError: there is no such frame yet.
    """
    if link.latest is None:
        raise ConfigurationError(f"link {link.name}: no frame has been answered yet")
    return link.latest


def _as_answered(link: Link, result: FrameResult) -> AnsweredFrame | None:
    """Return a frame of the link's current point.

    None for an earlier one, or if it did not meet all links of its group.
    """
    if result.point != link.point or link.spec is None or result.absent:
        return None
    group = link.group
    members = [link] if group is None else group.links
    planned = {it.name: it.planned.model_copy(update={"codecs": [it.codec]}) for it in members}
    groups = {} if group is None else {group.name: group.planned}
    return AnsweredFrame(link.name, planned, groups, link.settings.frame_images, link.spec, result)


def _conditions(link: Link) -> dict[str, str]:
    """Return the conditions whose changes charts mark, in words."""
    course = link.settings.course.kind if link.held_db is None else "held"
    channel = link.channel.label
    marked = {"codec": link.codec.name, "channel": channel, "SNR": course.replace("_", " ")}
    if link.spec is not None and link.group is not None and link.group.told.kind == "interference":
        met = link.spec.interference
        marked["SIR"] = "none" if met is None else f"{met.sir_db:g} dB, {met.interferers} links"
    return marked
