"""The receiver process: sockets and the decoding thread around the batcher."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

import numpy as np

from receiver.batcher import Batcher, Waiting
from receiver.decoding import Decoded, FrameDecoder
from receiver.engine import engine_rounding
from receiver.frame_metrics import FrameMetrics
from receiver.settings import ReceiverSettings
from semcom.errors import ProtocolError, SemcomError
from semcom.fingerprint import EngineRounding
from semcom.frame_messages import ReceivedFrame
from semcom.heartbeats import Heartbeats
from semcom.host_reports import HostReporter
from semcom.messages import MAX_ITEMS, Arithmetic, CodecReport, Hello, LoadCodec, Refusal, Welcome
from semcom.security import Security
from semcom.service import HEARTBEAT_S, new_instance
from semcom.sockets import Endpoint, Received
from semcom.telemetry import Telemetry, event, frame_event
from semcom.wakeup import Wakeup
from semcom.wire import refusal
from semcom.worker import Worker

logger = logging.getLogger("receiver")

# Forward passes queued for the decoding thread in advance, so that it never waits.
AHEAD = 2
# A single frame with this few images is decoded on this thread: waking the other would take as
# long.
AT_ONCE_IMAGES = 4


class ReceiverService:
    """Decodes frames from a channel; several receivers may serve one channel."""

    def __init__(
        self,
        settings: ReceiverSettings,
        peer: str,
        telemetry: Telemetry,
        wakeup: Wakeup,
        security: Security | None = None,
    ) -> None:
        self.peer = peer
        self.done = False
        self.instance = new_instance()
        self._telemetry = telemetry
        self._log_frames = settings.log_frames
        self._arithmetic = Arithmetic(
            threads=settings.threads, engine=settings.engine, decoding=settings.mode
        )
        self._decoder = FrameDecoder(settings)
        self._batcher = Batcher(
            exact=settings.mode == "exact",
            max_images=settings.max_batch_images,
            max_delay_s=settings.max_delay_ms / 1e3,
            max_bytes=settings.waiting_bytes,
        )
        self._worker: Worker[list[Decoded] | CodecReport | EngineRounding] = Worker(
            wakeup, "decoder"
        )
        self._host = HostReporter("receiver", peer)
        self._downlink = Endpoint.connect(settings.downlink, name="downlink", security=security)
        self._control: Endpoint | None = None
        if settings.control is not None:
            self._control = Endpoint.connect(settings.control, name="control", security=security)
            device, threads = settings.device, settings.threads
            self._worker.submit(
                lambda: engine_rounding(settings.engine, device=device, threads=threads)
            )
        self._loading: set[str] = set()
        self._heartbeats = Heartbeats("receiver", telemetry)
        self._next_hello_s = 0.0
        self._metrics = FrameMetrics(telemetry)
        for codec in settings.codecs:
            self._decoder.load(codec)

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Downlink and, if there is an orchestrator, control."""
        return (self._downlink,) if self._control is None else (self._downlink, self._control)

    @property
    def ready(self) -> bool:
        """Return whether the channel has answered recently and a codec is loaded."""
        return self._heartbeats.fresh("channel") and bool(self._decoder.digests)

    def handle(self, endpoint: Endpoint, received: Received) -> None:
        """Process a message; an error in it is answered and counted."""
        try:
            if received.error is not None:
                raise received.error
            self._dispatch(endpoint, received)
        except ProtocolError as error:
            self._telemetry.count("semcom_messages_refused_total", 1, error.reason)
            key = received.message.key if isinstance(received.message, ReceivedFrame) else None
            if received.answerable:
                endpoint.send(refusal(error, key))

    def tick(self, now_s: float) -> float:
        """Send Hello and answers, and pass the next frames to the decoder."""
        if now_s >= self._next_hello_s:
            self._greet(now_s)
        for outcome in self._worker.outcomes():
            if isinstance(outcome.value, CodecReport):
                self._report(outcome.value, now_s)
            elif isinstance(outcome.value, EngineRounding):
                self._host.computed(outcome.value)
            elif outcome.value is not None:
                self._answer(outcome.value)
            elif outcome.error is not None:
                raise outcome.error
        if self._control is not None:
            self._host.send(self._control.send)
        while self._worker.pending < AHEAD:
            batch = self._batcher.next_batch(now_s)
            if not batch:
                break
            if self._is_lone(batch):
                self._answer(self._decoder.decode(batch))
            else:
                self._worker.submit(lambda batch=batch: self._decoder.decode(batch))  # type: ignore[misc]
        self._metrics.show_arrived()
        idle_s = max(0.0, self._next_hello_s - now_s)
        return idle_s if self._worker.pending >= AHEAD else self._batcher.wait_s(now_s, idle_s)

    def drain(self) -> None:
        """Do nothing: transmitters send unanswered frames again."""
        self.done = True

    def close(self) -> None:
        """Stop decoding and close the sockets."""
        self._worker.close()
        for endpoint in self.endpoints:
            endpoint.close()

    def _is_lone(self, batch: Sequence[Waiting]) -> bool:
        """Return whether this is the only work, and quick to do."""
        images = sum(waiting.frame.images for waiting in batch)
        return images <= AT_ONCE_IMAGES and not self._worker.pending and not len(self._batcher)

    def _greet(self, now_s: float) -> None:
        self._next_hello_s = now_s + HEARTBEAT_S
        self._telemetry.set("semcom_codecs_loaded", len(self._decoder.digests))
        hello = Hello(
            role="receiver",
            peer=self.peer,
            instance=self.instance,
            codecs=list(self._decoder.digests),
            arithmetic=self._arithmetic,
        )
        for endpoint in self.endpoints:
            endpoint.send(hello)

    def _dispatch(self, endpoint: Endpoint, received: Received) -> None:
        message = received.message
        if isinstance(message, LoadCodec) and endpoint is self._control:
            self._load(message)
        elif isinstance(message, ReceivedFrame) and endpoint is self._downlink:
            self._decoder.check(message)
            now_s, link = time.monotonic(), message.key.link
            added = self._batcher.add(Waiting(message, received.payload, now_s))
            self._metrics.arrived(link, now_s - endpoint.readable_s, duplicate=not added)
        elif isinstance(message, Welcome):
            self._heartbeats.heard("channel" if endpoint is self._downlink else "orchestrator")
            if endpoint is self._control:
                self._host.met(message.instance, self._control.send)
        elif isinstance(message, Refusal):
            self._telemetry.count("semcom_messages_refused_total", 1, message.reason)
        else:
            raise ProtocolError("unexpected", type(message).__name__)

    def _load(self, request: LoadCodec) -> None:
        """Load on the decoding thread, after the frames that are already queued.

        Raises:
            ProtocolError: `overloaded`, too many are being loaded.
        """
        if request.digest in self._loading:
            return
        if len(self._loading) >= MAX_ITEMS:
            raise ProtocolError("overloaded", f"{MAX_ITEMS} codecs are being loaded already")
        self._loading.add(request.digest)

        def load() -> CodecReport:
            try:
                self._decoder.load(request.codec, expected_digest=request.digest)
            except SemcomError as error:
                return CodecReport(
                    codec=request.codec,
                    digest=request.digest,
                    loaded=False,
                    detail=str(error)[:300],
                )
            return CodecReport(codec=request.codec, digest=request.digest, loaded=True)

        self._worker.submit(load)

    def _report(self, report: CodecReport, now_s: float) -> None:
        self._loading.discard(report.digest)
        self._telemetry.count(
            "semcom_codec_swaps_total", 1, "loaded" if report.loaded else "refused"
        )
        event(logger, "codec", codec=report.codec, loaded=report.loaded, detail=report.detail)
        if self._control is not None:
            self._control.send(report)
        self._greet(now_s)

    def _answer(self, decoded: list[Decoded]) -> None:
        """Send the answers of a forward pass, then show them."""
        for each in decoded:
            result = each.result
            if isinstance(result, Refusal):
                self._downlink.send(result)
                continue
            if self._log_frames:  # before sending, so that every sent answer has been logged
                frame_event(logger, "frame decoded", result, each.answer)
            if not self._downlink.send(result, np.frombuffer(each.answer, dtype=np.uint8)):
                self._telemetry.count("semcom_frames_unroutable_total", 1, result.key.link)
        self._metrics.show_answered(decoded)
