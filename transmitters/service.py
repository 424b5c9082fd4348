"""The transmitter process: sockets and the encoding thread around the sender."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from semcom.errors import ProtocolError, SemcomError
from semcom.fingerprint import EngineRounding
from semcom.heartbeats import Heartbeats
from semcom.host_reports import HostReporter
from semcom.messages import (
    Arithmetic,
    Assignment,
    Failure,
    Hello,
    Recorded,
    Refusal,
    StreamAssignment,
    Welcome,
)
from semcom.security import Security
from semcom.service import HEARTBEAT_S, new_instance
from semcom.sockets import Endpoint, Received
from semcom.telemetry import Telemetry, event
from semcom.wakeup import Wakeup
from semcom.worker import Worker
from transmitters.engine import engine_rounding
from transmitters.frame_encoder import FrameEncoder
from transmitters.frame_plan import Encoded
from transmitters.refusals import Refusals
from transmitters.sender import Sender
from transmitters.settings import TransmitterSettings
from transmitters.streaming import Streamer
from transmitters.uplink import Uplink

logger = logging.getLogger("transmitters")

SLACK_BYTES = 32 << 20  # bytes of repeated frames that may be queued, beyond the window


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
        self._arithmetic = Arithmetic(threads=settings.threads, engine=settings.engine)
        self._sender = Sender(
            link, window_bytes=settings.window_bytes, results_bytes=settings.results_bytes
        )
        self._streamer = Streamer(self._sender)
        self._refusals = Refusals(telemetry)
        self._encoder = FrameEncoder(settings)
        self._worker: Worker[Encoded | EngineRounding] = Worker(wakeup, "encoder")
        self._host = HostReporter("transmitter", link)
        self._worker.submit(lambda: engine_rounding(settings.engine, threads=settings.threads))
        self._control = Endpoint.connect(settings.control, name="control", security=security)
        self._greeted = False
        self._failure: Failure | None = None
        self._run = ""
        self._draining = False
        self._held_up = False  # by results that wait for receipts
        self._next_hello_s = 0.0
        self._heartbeats = Heartbeats("transmitter", telemetry)
        uplink = Endpoint.connect(
            settings.uplink,
            name="uplink",
            security=security,
            sent_bytes=settings.window_bytes + SLACK_BYTES,
        )
        self._uplink = Uplink(
            uplink,
            self._sender,
            self._encoder,
            heartbeats=self._heartbeats,
            refusals=self._refusals,
            telemetry=telemetry,
            settings=settings,
        )
        telemetry.begin([link])

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Control and uplink."""
        return (self._control, self._uplink.endpoint)

    @property
    def ready(self) -> bool:
        """Return whether orchestrator and channel have answered recently."""
        return self._heartbeats.fresh("orchestrator") and self._heartbeats.fresh("channel")

    def handle(self, endpoint: Endpoint, received: Received) -> None:
        """Process a message; a final error ends this transmitter's part of the run."""
        try:
            if received.error is not None:
                self._on_unreadable(endpoint, received.error)
            elif endpoint is self._uplink.endpoint:
                self._uplink.take(received)
            else:
                self._on_control(received)
        except SemcomError as error:
            self._fail(error)

    def tick(self, now_s: float) -> float:
        """Send Hello, collect encoded frames, fill the window, repeat overdue frames."""
        if now_s >= self._next_hello_s:
            self._greet(now_s)
        for outcome in self._worker.outcomes():
            if outcome.value is None:
                self._fail(outcome.error)
            elif isinstance(outcome.value, EngineRounding):
                self._host.computed(outcome.value)
            else:
                self._uplink.send(outcome.value)
        self._host.send(self._control.send)
        if self._draining:
            waits = self._failure is None and (self._sender.in_flight or self._worker.pending)
            self.done = not (waits or self._sender.unrecorded)
        elif self._failure is None:
            offered, shed = self._streamer.offer(now_s)
            self._telemetry.count("semcom_frames_offered_total", offered, self.link)
            self._telemetry.count("semcom_frames_shed_total", shed, self.link)
            for plan in self._sender.frames_to_encode():
                self._worker.submit(lambda plan=plan: self._encoder.encode(plan))  # type: ignore[misc]
        if self._failure is None:
            self._uplink.send_again(now_s)
        self._report(now_s)
        self._telemetry.set("semcom_frames_in_flight", self._sender.in_flight, self.link)
        self._telemetry.set("semcom_frames_open", self._sender.points.open_frames, self.link)
        idle_s = max(0.0, self._next_hello_s - now_s)
        if self._failure is not None:
            return idle_s  # nothing is repeated until there is new work
        if not self._draining:
            idle_s = self._streamer.wait_s(now_s, idle_s)
        return self._sender.next_deadline_s(now_s, idle_s)

    def drain(self) -> None:
        """Send nothing new; wait for the answers and receipts of frames in flight."""
        self._draining = True

    def close(self) -> None:
        """Stop encoding, close the sockets."""
        self._worker.close()
        for endpoint in self.endpoints:
            endpoint.close()

    def _report(self, now_s: float) -> None:
        """Send results; log once if missing receipts prevent new frames."""
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
            busy=[*self._sender.points.indices, *self._sender.kept.points][:32],
            stream=self._streamer.state(refusals=self._refusals.total),
            arithmetic=self._arithmetic,
        )
        for endpoint in self.endpoints:
            endpoint.send(hello)
        if self._failure is not None:
            self._control.send(self._failure)

    def _on_control(self, received: Received) -> None:
        message = received.message
        if isinstance(message, Welcome):
            self._heartbeats.heard("orchestrator")
            self._host.met(message.instance, self._control.send)
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
            self._refusals.take(message, known=self._greeted)
            if message.reason == "unexpected":
                # The only refusal without ambiguity: this link is not part of the run. Any other
                # refers to a message that is repeated anyway.
                raise ProtocolError(message.reason, message.detail)
        else:
            raise ProtocolError("unexpected", f"{type(message).__name__} from the orchestrator")

    def _on_unreadable(self, endpoint: Endpoint, error: ProtocolError) -> None:
        self._refusals.count(error.reason)
        known = self._uplink.known if endpoint is self._uplink.endpoint else self._greeted
        if error.reason == "version" and not known:
            raise error

    def _fail(self, error: Exception | None) -> None:
        """Report a failure with every Hello; the orchestrator ends the run."""
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
