"""The channel process: sockets around the broker."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence

from channel_sim.broker import Broker
from channel_sim.noise_engine import load_normals, noise_rounding
from channel_sim.passage import batches
from channel_sim.sends import Arrived, Send
from channel_sim.settings import BrokerSettings
from semcom.errors import ProtocolError
from semcom.frame_messages import ReceivedFrame, SymbolFrame, TaskResult
from semcom.heartbeats import DEAD_AFTER_S, Attention, Heartbeats
from semcom.host_reports import HostReporter
from semcom.log_limit import KindLimit
from semcom.messages import Hello, PointTable, Refusal, Welcome
from semcom.security import Security
from semcom.service import HEARTBEAT_S, new_instance
from semcom.sockets import Endpoint, Received
from semcom.telemetry import Telemetry, event
from semcom.wakeup import Wakeup
from semcom.wire import refusal

logger = logging.getLogger("channel_sim")

TOGETHER_BYTES = 8 << 20  # of frames that wait to be drawn together; more are drawn at once
SLACK_BYTES = 32 << 20  # that may wait to leave to a receiver beyond what it holds
REST_LOGGED_EVERY_S = 10.0  # of one receiver


class ChannelService:
    """Binds uplink and downlink; dials the orchestrator for the table of points."""

    def __init__(
        self,
        settings: BrokerSettings,
        peer: str,
        telemetry: Telemetry,
        wakeup: Wakeup,
        security: Security | None = None,
    ) -> None:
        del wakeup  # all work is done on the polling thread
        self.peer = peer
        self.done = False
        self._telemetry = telemetry
        self._host = HostReporter("channel", peer, noise_rounding(settings.noise_engine))
        self._broker = Broker(
            new_instance(),
            dead_after_s=DEAD_AFTER_S,
            queue_frames=settings.queue_frames,
            queue_bytes=settings.queue_bytes,
            normals=load_normals(settings.noise_engine),
        )
        self._uplink = Endpoint.bind(settings.uplink, name="uplink", security=security)
        self._downlink = Endpoint.bind(
            settings.downlink,
            name="downlink",
            security=security,
            sent_bytes=settings.queue_bytes + SLACK_BYTES,
            sent_messages=2 * settings.queue_frames,
        )
        self._control: Endpoint | None = None
        if settings.control is not None:
            self._control = Endpoint.connect(settings.control, name="control", security=security)
        for table in [] if settings.static is None else settings.static.tables:
            self._broker.points.learn(table)
        self._heartbeats = Heartbeats("channel", telemetry)
        self._attention = Attention(HEARTBEAT_S)
        self._next_hello_s = 0.0
        self._arrived: list[Arrived] = []  # in one burst: drawn together at the next tick
        self._arrived_bytes = 0
        self._log_limit = KindLimit(every_s=REST_LOGGED_EVERY_S)

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Uplink, downlink and, where there is an orchestrator, control."""
        both = (self._uplink, self._downlink)
        return both if self._control is None else (*both, self._control)

    @property
    def ready(self) -> bool:
        """Whether the table of points can be had: it is static, or the orchestrator is there."""
        return self._control is None or self._heartbeats.fresh("orchestrator")

    def handle(self, endpoint: Endpoint, received: Received) -> None:
        """Take a message; whatever is wrong with it is answered and counted."""
        try:
            if received.error is not None:
                raise received.error
            self._dispatch(endpoint, received)
        except ProtocolError as error:
            self._telemetry.count("semcom_messages_refused_total", 1, error.reason)
            if received.answerable:
                endpoint.send(refusal(error), to=received.sender)

    def tick(self, now_s: float) -> float:
        """Send on what arrived; greet the orchestrator; forget who has been silent for too long."""
        self._transmit_arrived()
        self._tell_rests(now_s)
        if now_s >= self._next_hello_s:
            self._next_hello_s = now_s + HEARTBEAT_S
            listened = self._attention.listened(now_s)
            for receiver in self._broker.forget_silent(now_s) if listened else ():
                if self._log_limit.due(f"silent {receiver.peer}", now_s):
                    event(logger, "receiver silent", peer=receiver.peer, held=len(receiver.held))
            self._telemetry.set("semcom_peers", len(self._broker.receivers), "receiver")
            self._telemetry.set("semcom_peers", len(self._broker.transmitters), "transmitter")
            self._telemetry.set("semcom_receivers_resting", self._broker.resting(now_s))
            here = self._control is not None and self._heartbeats.fresh("orchestrator")
            self._telemetry.set("semcom_peers", int(here), "orchestrator")
            self._telemetry.begin(self._broker.transmitters)
            self._ask_for_wanted(now_s)
            self._greet()
        return max(0.0, self._next_hello_s - now_s)

    def drain(self) -> None:
        """Nothing here is worth waiting for: transmitters send again what gets no answer."""
        self.done = True

    def close(self) -> None:
        """Close the sockets."""
        for endpoint in self.endpoints:
            endpoint.close()

    def _greet(self) -> None:
        if self._control is None:
            return
        run = self._broker.points.latest
        known = 0 if run is None else self._broker.points.count(run)
        own = self._broker.instance
        hello = Hello(role="channel", peer=self.peer, instance=own, run=run, points=known)
        self._control.send(hello)

    def _dispatch(self, endpoint: Endpoint, received: Received) -> None:
        message, now_s = received.message, time.monotonic()
        assert message is not None
        if endpoint is self._control:
            if isinstance(message, PointTable):
                self._broker.points.learn(message)
                if self._broker.points.count(message.run) >= message.total:
                    self._greet()  # at once: what waits for these points may use them now
            elif isinstance(message, Welcome):
                self._heartbeats.heard("orchestrator")
                self._host.met(message.instance, self._control.send)
            return
        if endpoint is self._uplink and isinstance(message, SymbolFrame):
            at_s = endpoint.readable_s
            self._arrived.append(Arrived(received.sender, message, received.payload, at_s))
            self._arrived_bytes += received.payload.nbytes
            if self._arrived_bytes >= TOGETHER_BYTES:
                self._transmit_arrived()
            return
        if endpoint is self._uplink:
            sends = [self._broker.greet_transmitter(received.sender, message, now_s=now_s)]
        else:
            sends = self._broker.on_downlink(received.sender, message, now_s=now_s)
        if isinstance(message, Hello):  # the broker took it, so its role is right
            self._heartbeats.heard(message.role)
        for send in sends:
            self._send(send, as_it_came=received if send.message is message else None)

    def _transmit_arrived(self) -> None:
        arrived, self._arrived, self._arrived_bytes = self._arrived, [], 0
        for batch in batches(arrived):
            self._transmit(batch)
        for link, count in self._broker.repeated.items():
            self._telemetry.count("semcom_frames_duplicate_total", count, link)
        self._broker.repeated.clear()

    def _tell_rests(self, now_s: float) -> None:
        """Name receivers that are asked less from now on, each once in a while."""
        for rest in self._broker.take_rests():
            self._telemetry.count("semcom_receiver_rests_total", 1)
            if self._log_limit.due(rest.peer, now_s):
                event(
                    logger, "receiver asked less", peer=rest.peer, why=rest.why, rest_s=rest.seconds
                )

    def _ask_for_wanted(self, now_s: float) -> None:
        """Show which links others wait for, and ask them for the frames that are missing."""
        for link, count in self._broker.waiting_for().items():
            self._telemetry.set("semcom_slots_waiting", count, link)
        for link, send in self._broker.wanted(now_s):
            self._telemetry.count("semcom_frames_wanted_total", 1, link)
            if self._log_limit.due(f"wanted {link}", now_s):
                event(logger, "frames of others wait for this link", link=link)
            self._send(send)

    def _transmit(self, batch: Sequence[Arrived]) -> None:
        """Frames through the channel and on; the metrics of a link once for all of its frames."""
        begun_s = time.monotonic()
        for each in batch:
            self._telemetry.observe("semcom_stage_seconds", begun_s - each.at_s, "uplink_queue")
        latest: dict[str, ReceivedFrame] = {}
        taken: Counter[str] = Counter()
        for send in self._broker.transmit(batch):
            message = send.message
            if isinstance(message, ReceivedFrame):
                for link in message.links or [message.key.link]:
                    taken[link] += 1
                    latest[link] = message
                self._telemetry.observe("semcom_stage_seconds", message.channel_ms / 1e3, "channel")
            elif isinstance(message, Refusal):
                self._telemetry.count("semcom_messages_refused_total", 1, message.reason)
            self._send(send)
        for link, message in latest.items():
            self._telemetry.count("semcom_frames_received_total", taken[link], link)
            self._telemetry.set("semcom_snr_set_db", message.snr_db, link)
            if message.snr_measured_db is not None:
                self._telemetry.set("semcom_snr_measured_db", message.snr_measured_db, link)

    def _send(self, send: Send, *, as_it_came: Received | None = None) -> None:
        """Send; a message that is passed on unchanged is not encoded again."""
        endpoint = self._uplink if send.side == "uplink" else self._downlink
        if as_it_came is not None:
            sent = endpoint.send_parts(as_it_came.parts, to=send.to)
        else:
            sent = endpoint.send(send.message, send.payload, to=send.to)
        if sent or not isinstance(send.message, ReceivedFrame | TaskResult):
            return
        self._telemetry.count("semcom_frames_unroutable_total", 1, send.message.key.link)
        if isinstance(send.message, ReceivedFrame):
            now_s = time.monotonic()
            for answer in self._broker.undelivered(send.message, to=send.to, now_s=now_s):
                self._uplink.send(answer.message, to=answer.to)
