"""The transmitter's connection to the channel: frames out, answers in."""

from __future__ import annotations

import logging
import time

from semcom.errors import ProtocolError
from semcom.frame_messages import TaskResult
from semcom.heartbeats import Heartbeats
from semcom.kept_answers import keep_answer
from semcom.messages import PointWork, Refusal, Wanted, Welcome
from semcom.sockets import Endpoint, Received
from semcom.telemetry import Telemetry, event, frame_event
from transmitters.frame_encoder import FrameEncoder
from transmitters.frame_plan import Encoded
from transmitters.refusals import Refusals
from transmitters.sender import InFlight, Sender
from transmitters.settings import TransmitterSettings

logger = logging.getLogger("transmitters")


class Uplink:
    """Sends the frames of a link, and judges the answers."""

    def __init__(
        self,
        endpoint: Endpoint,
        sender: Sender,
        encoder: FrameEncoder,
        *,
        heartbeats: Heartbeats,
        refusals: Refusals,
        telemetry: Telemetry,
        settings: TransmitterSettings,
    ) -> None:
        self.endpoint = endpoint
        self._sender = sender
        self._encoder = encoder
        self._heartbeats = heartbeats
        self._refusals = refusals
        self._telemetry = telemetry
        self._log_frames = settings.log_frames
        self._answers_dir = settings.answers_dir
        self._link = sender.link
        self._channel_instance = ""
        self._codec_digest = ""

    @property
    def known(self) -> bool:
        """Return whether the channel has ever answered."""
        return bool(self._channel_instance)

    def take(self, received: Received) -> None:
        """Process a message of the channel.

        Raises:
            SemcomError: it ends this transmitter's part of the run.
        """
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
            self._refusals.take(message, known=self.known)
            self._sender.refused(message, now_s=now_s)
        elif isinstance(message, Wanted):
            self._sender.wanted(message.key, now_s=now_s)
        else:
            raise ProtocolError("unexpected", f"{type(message).__name__} on the uplink")

    def _on_answer(self, result: TaskResult, answer: bytes, now_s: float) -> None:
        flight = self._sender.answered(result, answer, now_s=now_s)
        if flight is None:
            self._telemetry.count("semcom_frames_duplicate_total", 1, self._link)
            return
        if self._log_frames:
            frame_event(logger, "frame answered", result, answer)
        further = self._encoder.further(flight.encoded, answer)
        if further is not None:
            self._send(self._sender.further(flight, further, now_s=now_s))
            self._telemetry.count("semcom_frames_sent_total", 1, self._link)
            return
        answer = self._encoder.last_answer(flight.encoded, answer)
        judged = self._encoder.judge(flight.plan, answer)
        if self._answers_dir is not None:  # before it is reported
            frame, point = flight.plan.frame, result.key.point
            keep_answer(self._answers_dir, answer, link=self._link, point=point, frame=frame)
        self._sender.finished(flight, result, judged, now_s)
        self._telemetry.count("semcom_images_evaluated_total", flight.plan.images, self._link)
        task = self._encoder.task(flight.plan).counted_as()
        for name, total in judged.score.items():
            self._telemetry.count("semcom_score_total", max(0, total), self._link, task, name)
        round_trip_s = now_s - flight.began_s
        self._telemetry.observe("semcom_round_trip_seconds", round_trip_s, self._link)

    def send(self, encoded: Encoded) -> None:
        """Send an encoded frame, unless it has been forgotten."""
        if self._sender.kept.encoded(encoded.plan):
            message = encoded.message(self._link)
            self._telemetry.count("semcom_frames_retransmitted_total", 1, self._link)
            # Its answer is known; other links wait for theirs.
            self.endpoint.send(message, encoded.symbols_BK)
            return
        if not self._sender.is_encoding(encoded.plan):
            return
        flight = self._sender.encoded(encoded, now_s=time.monotonic())
        self._send(flight)  # at once, because the round trip is being measured
        self._telemetry.count("semcom_frames_sent_total", 1, self._link)
        self._telemetry.observe("semcom_stage_seconds", encoded.encode_ms / 1e3, "encode")
        self._show_codec(encoded.plan.assignment)

    def send_again(self, now_s: float) -> None:
        """Send frames whose answer is overdue."""
        for flight in self._sender.frames_to_resend(now_s):
            self._telemetry.count("semcom_frames_retransmitted_total", 1, self._link)
            self._send(flight)

    def _send(self, flight: InFlight) -> None:
        if not self.endpoint.send(flight.message, flight.encoded.symbols_BK):
            self._telemetry.count("semcom_frames_unroutable_total", 1, self._link)

    def _show_codec(self, work: PointWork) -> None:
        self._telemetry.set("semcom_snr_set_db", work.spec.snr_db, self._link)
        if self._codec_digest != work.codec_digest:
            self._codec_digest = work.codec_digest
            names = (self._link, work.codec, work.codec_digest[:12])
            self._telemetry.only("semcom_codec_info", *names)
            self._telemetry.count("semcom_codec_swaps_total", 1, "loaded")
