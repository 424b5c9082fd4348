"""The channel process: sockets around the broker."""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Sequence

from channel_sim.broker import Broker
from channel_sim.noise_engine import chosen_engine, load_engine, noise_rounding
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
SLACK_BYTES = 32 << 20  # queued for a receiver beyond the frames that it holds
REST_LOGGED_EVERY_S = 10.0  # of one receiver


class ChannelService:
    """Binds uplink and downlink; connects to the orchestrator for the table of points."""

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
        engine = chosen_engine(settings.noise_engine)
        self._host = HostReporter("channel", peer, noise_rounding(engine))
        self._broker = Broker(
            new_instance(),
            dead_after_s=DEAD_AFTER_S,
            queue_frames=settings.queue_frames,
            queue_bytes=settings.queue_bytes,
            engine=load_engine(engine),
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
        """Uplink, downlink and, if there is an orchestrator, control."""
        both = (self._uplink, self._downlink)
        return both if self._control is None else (*both, self._control)

    @property
    def ready(self) -> bool:
        """Return whether a table of points is available: a static one, or an orchestrator's."""
        return self._control is None or self._heartbeats.fresh("orchestrator")

    def handle(self, endpoint: Endpoint, received: Received) -> None:
        """Process a message; an error in it is answered and counted."""
        try:
            if received.error is not None:
                raise received.error
            self._dispatch(endpoint, received)
        except ProtocolError as error:
            self._telemetry.count("semcom_messages_refused_total", 1, error.reason)
            if received.answerable:
                endpoint.send(refusal(error), to=received.sender)

    def tick(self, now_s: float) -> float:
        """Send on arrived frames, send Hello to the orchestrator, forget silent peers."""
        self._transmit_arrived()
        self._pass_on(self._broker.serve_overdue(now_s))
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
        return max(0.0, min(self._next_hello_s, self._broker.next_overdue_s()) - now_s)

    def drain(self) -> None:
        """Do nothing: transmitters send unanswered frames again."""
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
                    self._greet()  # at once, because peers may be waiting for these points
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
        if isinstance(message, Hello):  # the broker accepted it, so its role is correct
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
        """Log receivers that get fewer frames from now on, each at limited intervals."""
        for rest in self._broker.take_rests():
            self._telemetry.count("semcom_receiver_rests_total", 1)
            if self._log_limit.due(rest.peer, now_s):
                event(
                    logger,
                    "receiver gets fewer frames",
                    peer=rest.peer,
                    why=rest.why,
                    rest_s=rest.seconds,
                )

    def _ask_for_wanted(self, now_s: float) -> None:
        """Export and log which links others wait for, and request the missing frames."""
        _tell_slots(self._broker, self._telemetry)
        for link, send in self._broker.wanted(now_s):
            self._telemetry.count("semcom_frames_wanted_total", 1, link)
            if self._log_limit.due(f"wanted {link}", now_s):
                event(logger, "frames of others wait for this link", link=link)
            self._send(send)

    def _transmit(self, batch: Sequence[Arrived]) -> None:
        """Pass frames through the channel and send them on; update metrics once per link."""
        begun_s = time.monotonic()
        self._pass_on(self._broker.transmit(batch))
        for at_s, frames in Counter(each.at_s for each in batch).items():
            waited_s = begun_s - at_s
            self._telemetry.observe("semcom_stage_seconds", waited_s, "uplink_queue", times=frames)

    def _pass_on(self, sends: Sequence[Send]) -> None:
        """Send on frames after the channel, then count them: nothing waits for the counts."""
        for send in sends:
            self._send(send)
        _tell_frames(sends, self._telemetry)

    def _send(self, send: Send, *, as_it_came: Received | None = None) -> None:
        """Send a message; a forwarded one is not encoded again."""
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


def _tell_frames(sends: Sequence[Send], telemetry: Telemetry) -> None:
    """Count the frames and refusals of links, and export the SNR of their latest frames."""
    latest: dict[str, ReceivedFrame] = {}
    taken: Counter[str] = Counter()
    for send in sends:
        message = send.message
        if isinstance(message, ReceivedFrame):
            for link in message.answered_links:
                taken[link] += 1
                latest[link] = message
            telemetry.observe("semcom_stage_seconds", message.channel_ms / 1e3, "channel")
        elif isinstance(message, Refusal):
            telemetry.count("semcom_messages_refused_total", 1, message.reason)
    for link, message in latest.items():
        telemetry.count("semcom_frames_received_total", taken[link], link)
        telemetry.set("semcom_snr_set_db", message.snr_db, link)
        if message.snr_measured_db is not None:
            telemetry.set("semcom_snr_measured_db", message.snr_measured_db, link)


def _tell_slots(broker: Broker, telemetry: Telemetry) -> None:
    """Export the links for which slots wait, and those without which slots were served."""
    for link, count in broker.waiting_for().items():
        telemetry.set("semcom_slots_waiting", count, link)
    for link, count in broker.take_absent().items():
        telemetry.count("semcom_slots_absent_total", count, link)
