"""The transmitter process: sockets and the encoding thread around the sender."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

from semcom.checkpoints import open_checkpoint
from semcom.codec_manifest import AnyManifest
from semcom.errors import CheckpointError, ProtocolError, SemcomError
from semcom.families import TransmitterHalf
from semcom.heartbeats import Heartbeats
from semcom.messages import (
    Arithmetic,
    Assignment,
    Failure,
    Hello,
    PointWork,
    Recorded,
    Refusal,
    StreamAssignment,
    TaskResult,
    Welcome,
)
from semcom.probe import is_finite
from semcom.security import Security
from semcom.service import HEARTBEAT_S, new_instance
from semcom.sockets import Endpoint, Received
from semcom.tasks.task import Task
from semcom.telemetry import Telemetry, event, frame_event
from semcom.wakeup import Wakeup
from semcom.wire import Symbols
from semcom.worker import Worker
from transmitters.engine import codec_loader
from transmitters.images import FrameSource
from transmitters.sender import FramePlan, InFlight, Judged, Sender
from transmitters.settings import TransmitterSettings
from transmitters.streaming import Streamer

logger = logging.getLogger("transmitters")

SLACK_BYTES = 32 << 20  # of repeated frames that may wait to leave, beyond the window


@dataclass(frozen=True)
class Encoded:
    """A frame's symbols_BK, and how long encoding took when it was done."""

    plan: FramePlan
    symbols_BK: Symbols
    encode_ms: float


class FrameEncoder:
    """Images to symbols, on the worker's thread; keeps codecs, data sets and codewords."""

    def __init__(self, settings: TransmitterSettings) -> None:
        self._settings = settings
        self._load = codec_loader(settings.engine, threads=settings.threads)
        self._codecs: dict[str, TransmitterHalf] = {}
        self._manifests: dict[str, AnyManifest] = {}
        self._sources: dict[str, FrameSource] = {}
        self._cache: OrderedDict[tuple[str, str, int, int], Encoded] = OrderedDict()
        self._cached_bytes = 0

    def encode(self, plan: FramePlan) -> Encoded:
        """Encode a frame, or take it from the cache where the same images went before.

        Raises:
            SemcomError: the codec or the data set is missing, damaged or another one.
        """
        assignment = plan.assignment
        key = (assignment.codec_digest, assignment.dataset_digest, plan.first_image, plan.images)
        codec = self._codec(assignment)
        needs_snr = self._manifests[assignment.codec_digest].needs_snr
        cacheable = assignment.encode_once and not needs_snr
        if cacheable and key in self._cache:
            kept = self._cache[key]
            return Encoded(plan, kept.symbols_BK, kept.encode_ms)
        images = self.source(assignment).images(plan.first_image, plan.images)
        started = time.perf_counter()
        symbols_BK = codec.encode(images, snr_db=assignment.spec.snr_db)
        if not is_finite(symbols_BK):  # the channel would refuse it, and not know why
            raise CheckpointError(f"codec {assignment.codec} encodes images to NaN or Inf")
        encoded = Encoded(plan, symbols_BK, 1e3 * (time.perf_counter() - started))
        if cacheable:
            self._keep(key, encoded)
        return encoded

    def source(self, assignment: PointWork) -> FrameSource:
        """The data set of an assignment, opened once."""
        source = self._sources.get(assignment.dataset_digest)
        if source is None:
            folder = self._settings.data_dir / assignment.dataset
            source = FrameSource(folder, digest=assignment.dataset_digest)
            self._sources[assignment.dataset_digest] = source
        return source

    def task(self, plan: FramePlan) -> Task:
        """Return the task of the codec that a frame was encoded with."""
        return self._manifests[plan.assignment.codec_digest].task

    def judge(self, plan: FramePlan, answer: bytes) -> Judged:
        """Judge the answer to a frame by the task of the codec that it was encoded with.

        Raises:
            ProtocolError: no codec of this task gives such an answer: that at the other end is not
                this one's.
        """
        task = self.task(plan)
        try:
            answers = task.form.parse(answer, plan.images)
            task.check(answers)
        except ProtocolError as error:
            raise ProtocolError("codec_mismatch", error.detail) from error
        source = self.source(plan.assignment)
        references = source.references(task, plan.first_image, plan.images)
        return Judged(task.judge(answers, references), task.kept(answer))

    def _codec(self, assignment: PointWork) -> TransmitterHalf:
        codec = self._codecs.get(assignment.codec_digest)
        if codec is None:
            folder = self._settings.codec_dir / assignment.codec
            checkpoint = open_checkpoint(folder, expected_digest=assignment.codec_digest)
            codec = self._codecs[assignment.codec_digest] = self._load(checkpoint)
            self._manifests[assignment.codec_digest] = checkpoint.manifest
            event(logger, "codec loaded", codec=assignment.codec, digest=checkpoint.digest[:12])
        return codec

    def _keep(self, key: tuple[str, str, int, int], encoded: Encoded) -> None:
        self._cache[key] = encoded
        self._cached_bytes += encoded.symbols_BK.nbytes
        while self._cached_bytes > self._settings.cache_bytes:
            _, oldest = self._cache.popitem(last=False)
            self._cached_bytes -= oldest.symbols_BK.nbytes


class TransmitterService:
    """One link's transmitter."""

    def __init__(
        self,
        settings: TransmitterSettings,
        link: str,
        telemetry: Telemetry,
        wakeup: Wakeup,
        security: Security | None = None,
    ) -> None:
        self.link = link
        self.done = False
        self.instance = new_instance()
        self._telemetry = telemetry
        self._log_frames = settings.log_frames
        self._arithmetic = Arithmetic(threads=settings.threads, engine=settings.engine)
        self._sender = Sender(
            link, window_bytes=settings.window_bytes, results_bytes=settings.results_bytes
        )
        self._streamer = Streamer(self._sender)
        self._refusals = 0
        self._encoder = FrameEncoder(settings)
        self._worker: Worker[Encoded] = Worker(wakeup, "encoder")
        self._control = Endpoint.connect(settings.control, name="control", security=security)
        self._uplink = Endpoint.connect(
            settings.uplink,
            name="uplink",
            security=security,
            sent_bytes=settings.window_bytes + SLACK_BYTES,
        )
        self._channel_instance = ""
        self._greeted = False
        self._failure: Failure | None = None
        self._run = ""
        self._draining = False
        self._held_up = False  # by results that wait for receipts
        self._next_hello_s = 0.0
        self._codec_digest = ""
        self._heartbeats = Heartbeats("transmitter", telemetry)
        telemetry.begin([link])

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Control and uplink."""
        return (self._control, self._uplink)

    @property
    def ready(self) -> bool:
        """Whether orchestrator and channel have answered lately."""
        return self._heartbeats.fresh("orchestrator") and self._heartbeats.fresh("channel")

    def handle(self, endpoint: Endpoint, received: Received) -> None:
        """Take a message; what cannot be mended ends this transmitter's part of the run."""
        try:
            if received.error is not None:
                self._on_unreadable(endpoint, received.error)
            elif endpoint is self._uplink:
                self._on_uplink(received)
            else:
                self._on_control(received)
        except SemcomError as error:
            self._fail(error)

    def tick(self, now_s: float) -> float:
        """Greet, collect what was encoded, fill the window, send again what is overdue."""
        if now_s >= self._next_hello_s:
            self._greet(now_s)
        for outcome in self._worker.outcomes():
            if outcome.value is None:
                self._fail(outcome.error)
            else:
                self._send_encoded(outcome.value)
        if self._draining:
            waits = self._failure is None and (self._sender.in_flight or self._worker.pending)
            self.done = not (waits or self._sender.unrecorded)
        elif self._failure is None:
            offered, shed = self._streamer.offer(now_s)
            self._telemetry.count("semcom_frames_offered_total", offered, self.link)
            self._telemetry.count("semcom_frames_shed_total", shed, self.link)
            for plan in self._sender.frames_to_encode():
                self._worker.submit(lambda plan=plan: self._encoder.encode(plan))  # type: ignore[misc]
        due = self._sender.frames_to_resend(now_s) if self._failure is None else []
        for flight in due:
            self._telemetry.count("semcom_frames_retransmitted_total", 1, self.link)
            self._send(flight)
        self._report(now_s)
        self._telemetry.set("semcom_frames_in_flight", self._sender.in_flight, self.link)
        self._telemetry.set("semcom_frames_open", self._sender.open_frames, self.link)
        idle_s = max(0.0, self._next_hello_s - now_s)
        if self._failure is not None:
            return idle_s  # nothing is sent again before there is other work
        if not self._draining:
            idle_s = self._streamer.wait_s(now_s, idle_s)
        return self._sender.next_deadline_s(now_s, idle_s)

    def drain(self) -> None:
        """Send nothing new; wait for the answers and receipts of what is on its way."""
        self._draining = True

    def close(self) -> None:
        """Stop encoding, close the sockets."""
        self._worker.close()
        for endpoint in self.endpoints:
            endpoint.close()

    def _report(self, now_s: float) -> None:
        """Send results; say once when they wait in vain for so long that nothing new is sent."""
        reports = self._sender.reports
        due = reports.due(now_s)
        sent = next((n for n, each in enumerate(due) if not self._control.send(each)), len(due))
        for results in due[sent:]:
            reports.unsent(results)
        if reports.full and not self._held_up:
            event(logger, "no receipts; nothing new is sent", results=len(reports))
        self._held_up = reports.full

    def _greet(self, now_s: float) -> None:
        self._next_hello_s = now_s + HEARTBEAT_S
        hello = Hello(
            role="transmitter",
            peer=self.link,
            instance=self.instance,
            busy=self._sender.busy_points[:32],
            stream=self._streamer.state(refusals=self._refusals),
            arithmetic=self._arithmetic,
        )
        for endpoint in self.endpoints:
            endpoint.send(hello)
        if self._failure is not None:
            self._control.send(self._failure)

    def _on_uplink(self, received: Received) -> None:
        message, now_s = received.message, time.monotonic()
        if isinstance(message, Welcome):
            self._heartbeats.heard("channel")
            if self._channel_instance not in ("", message.instance):
                event(logger, "channel restarted", in_flight=self._sender.in_flight)
                self._sender.channel_restarted(now_s)
            self._channel_instance = message.instance
        elif isinstance(message, TaskResult):
            self._on_answer(message, received.payload.tobytes(), now_s)
        elif isinstance(message, Refusal):
            self._on_refusal(message, known=bool(self._channel_instance))
            self._sender.refused(message, now_s=now_s)
        else:
            raise ProtocolError("unexpected", f"{type(message).__name__} on the uplink")

    def _on_answer(self, result: TaskResult, answer: bytes, now_s: float) -> None:
        flight = self._sender.answered(result, answer, now_s=now_s)
        if flight is None:
            self._telemetry.count("semcom_frames_duplicate_total", 1, self.link)
            return
        if self._log_frames:
            frame_event(logger, "frame answered", result, answer)
        judged = self._encoder.judge(flight.plan, answer)
        self._sender.finished(flight, result, judged, now_s)
        self._telemetry.count("semcom_images_evaluated_total", flight.plan.images, self.link)
        task = self._encoder.task(flight.plan).kind
        for name, total in judged.score.items():
            self._telemetry.count("semcom_score_total", max(0, total), self.link, task, name)
        round_trip_s = now_s - flight.first_sent_s
        self._telemetry.observe("semcom_round_trip_seconds", round_trip_s, self.link)

    def _on_control(self, received: Received) -> None:
        message = received.message
        if isinstance(message, Welcome):
            self._heartbeats.heard("orchestrator")
            self._greeted = True
        elif isinstance(message, Assignment):
            if message.run != self._run:
                self._run, self._failure = message.run, None
                self._streamer.end()
            taken = self._sender.assign(message)
            self._telemetry.count("semcom_frames_offered_total", taken, self.link)
        elif isinstance(message, StreamAssignment):
            self._run = message.run
            if self._streamer.follow(message, time.monotonic()):
                self._failure = None
        elif isinstance(message, Recorded):
            self._sender.recorded(message)
        elif isinstance(message, Refusal):
            self._on_refusal(message, known=self._greeted)
            if message.reason == "unexpected":
                # The only one that says who is meant: this link is not of the run. Any other is
                # about a message that is repeated anyway.
                raise ProtocolError(message.reason, message.detail)
        else:
            raise ProtocolError("unexpected", f"{type(message).__name__} from the orchestrator")

    def _on_unreadable(self, endpoint: Endpoint, error: ProtocolError) -> None:
        self._count_refusal(error.reason)
        known = self._channel_instance if endpoint is self._uplink else self._greeted
        if error.reason == "version" and not known:
            raise error

    def _on_refusal(self, refusal: Refusal, *, known: bool) -> None:
        """Count it; a peer that never understood a word speaks another version."""
        self._count_refusal(refusal.reason)
        if refusal.reason == "version" and not known:
            raise ProtocolError(refusal.reason, refusal.detail)

    def _count_refusal(self, reason: str) -> None:
        self._refusals += 1
        self._telemetry.count("semcom_messages_refused_total", 1, reason)

    def _send_encoded(self, encoded: Encoded) -> None:
        if not self._sender.is_encoding(encoded.plan):
            return
        flight = self._sender.encoded(
            encoded.plan,
            encoded.symbols_BK,
            encode_ms=encoded.encode_ms,
            now_s=time.monotonic(),
        )
        self._send(flight)  # at once: the clock of the round trip runs
        self._telemetry.count("semcom_frames_sent_total", 1, self.link)
        self._telemetry.observe("semcom_stage_seconds", encoded.encode_ms / 1e3, "encode")
        self._show_codec(encoded.plan.assignment)

    def _send(self, flight: InFlight) -> None:
        if not self._uplink.send(flight.message, flight.symbols_BK):
            self._telemetry.count("semcom_frames_unroutable_total", 1, self.link)

    def _show_codec(self, work: PointWork) -> None:
        self._telemetry.set("semcom_snr_set_db", work.spec.snr_db, self.link)
        if self._codec_digest != work.codec_digest:
            self._codec_digest = work.codec_digest
            names = (self.link, work.codec, work.codec_digest[:12])
            self._telemetry.only("semcom_codec_info", *names)
            self._telemetry.count("semcom_codec_swaps_total", 1, "loaded")

    def _fail(self, error: Exception | None) -> None:
        """Tell the orchestrator with every Hello; it decides what becomes of the run."""
        if self._failure is not None:
            return
        logger.error(str(error), exc_info=None if isinstance(error, SemcomError) else error)
        exit_code = error.exit_code if isinstance(error, SemcomError) else 70
        self._failure = Failure(
            run=self._run or None,
            role="transmitter",
            peer=self.link,
            exit_code=exit_code,
            detail=str(error)[:300],
        )
        self._control.send(self._failure)
