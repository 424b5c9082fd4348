"""The control socket, independent of the work: a sweep, or a live stream.

A Hello is answered with what the peer lacks, results are recorded before they are acknowledged, and
processes that die are restarted.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Sequence
from typing import Any

from orchestrator.control.launcher import Launcher
from orchestrator.control.peers import Peers
from orchestrator.control.receipts import Receipts
from orchestrator.control.work import Order, Work
from semcom.errors import (
    AccountingError,
    ConfigurationError,
    ProcessFailedError,
    ProtocolError,
    StorageError,
)
from semcom.heartbeats import DEAD_AFTER_S, Attention
from semcom.log_limit import KindLimit
from semcom.messages import (
    CodecReport,
    Failure,
    Hello,
    HostReport,
    Message,
    Refusal,
    Results,
    Role,
    Welcome,
)
from semcom.service import HEARTBEAT_S, new_instance
from semcom.sockets import Endpoint, Received
from semcom.telemetry import Telemetry, event
from semcom.waits import FIRST_S, Reminder
from semcom.waits import logger as waits
from semcom.wire import refusal

STARTING_S = 15.0
logger = logging.getLogger("orchestrator")

LOGGED_EVERY_S = 1.0  # limits the log lines of each kind of message


class ControlService:
    """The orchestrator's end of the control socket, during one run."""

    def __init__(
        self,
        control: Endpoint,
        work: Work,
        *,
        launcher: Launcher | None,
        telemetry: Telemetry,
    ) -> None:
        self.instance = new_instance()
        self.failure: Exception | None = None
        self.bystanders: frozenset[str] = frozenset()  # transmitters that this run does not use
        self._control = control
        self._work = work
        self._launcher = launcher
        self._telemetry = telemetry
        self._peers = Peers(time.monotonic())
        self._receipts = Receipts(work, telemetry)
        self._log_limit = KindLimit(every_s=LOGGED_EVERY_S)
        self._next_tick_s = 0.0
        self._attention = Attention(HEARTBEAT_S)
        # Processes that are started here need some seconds to connect.
        self._reminder = Reminder(FIRST_S if launcher is None else STARTING_S)
        telemetry.begin(work.links)

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Control."""
        return (self._control,)

    @property
    def run(self) -> str:
        """Name of the run."""
        return self._work.run

    @property
    def ready(self) -> bool:
        """Return whether every role has sent something."""
        return not self._peers.absent(self._work.links, time.monotonic())

    @property
    def done(self) -> bool:
        """Return whether the run has ended, successfully or not."""
        if self.failure is not None or self._work.complete:
            return True
        self.failure = self._work.stuck
        return self.failure is not None or self._drained

    def handle(self, endpoint: Endpoint, received: Received) -> None:
        """Process a message from a process."""
        try:
            if received.error is not None:
                raise received.error
            assert received.message is not None
            for answer in self._answers(received.sender, received.message):
                endpoint.send(answer, to=received.sender)
        except ProtocolError as error:
            self._telemetry.count("semcom_messages_refused_total", 1, error.reason)
            if received.answerable:
                endpoint.send(refusal(error), to=received.sender)
        except ConfigurationError as error:
            detail = str(error)[:300]
            endpoint.send(Refusal(reason="unexpected", detail=detail), to=received.sender)

    def tick(self, now_s: float) -> float:
        """Record results, watch the processes, continue the work."""
        self._record()
        if now_s >= self._next_tick_s:
            self._next_tick_s = now_s + HEARTBEAT_S / 2
            self._watch(now_s)
        wait_s = max(0.0, self._next_tick_s - now_s)
        self.send(self._work.tick(now_s))
        return min(wait_s, self._work.wait_s(now_s))

    def send(self, orders: Sequence[Order]) -> None:
        """Send the messages that the work returns."""
        for order in orders:
            for connection in self._peers.connections(order.role, order.peer):
                self._control.send(order.message, to=connection)

    def drain(self) -> None:
        """Let transmitters finish frames in flight after an interruption, and record them."""
        self.send(self._work.drain(launched=self._launcher is not None))
        if self._launcher is not None:
            self._launcher.terminate("transmitter")

    def close(self) -> None:
        """Close the socket."""
        self._control.close()

    def processes(self, now_s: float) -> list[dict[str, Any]]:
        """Return the known peers, and when each last spoke."""
        return self._peers.rows(now_s)

    def heard(self, now_s: float) -> list[str]:
        """Return the links whose transmitter sent something recently."""
        return self._peers.heard(now_s)

    def objections(self, now_s: float) -> list[str]:
        """Return why recently seen processes are not peers: they compute differently."""
        return self._peers.objections(now_s)

    @property
    def _drained(self) -> bool:
        """Return whether the run is interrupted and no transmitter can report anything."""
        return (
            self._work.interrupted
            and not self._receipts.waiting
            and (self._launcher is None or not self._launcher.running("transmitter"))
        )

    def _end(self, failure: Exception | None) -> None:
        """End the run with a failure, if this is the first one."""
        self.failure = self.failure or failure

    def _watch(self, now_s: float) -> None:
        """Check twice per second which peers are connected, and restart dead processes."""
        if self._attention.listened(now_s):
            self._note_silence(now_s)
        self._peers.show(self._telemetry, now_s)
        absent = self._peers.absent(self._work.links, now_s)
        self._end(self._work.housekeep(absent))
        if self._reminder.due(bool(absent) and not self._work.interrupted, now_s):
            where = "" if self._launcher is not None else f" to connect to {self._control.address}"
            waits.warning(f"waiting for {', '.join(absent)}{where}")
        if self._launcher is not None and not self._work.interrupted and self.failure is None:
            try:
                for role in self._launcher.watch(now_s):
                    self._telemetry.count("semcom_process_restarts_total", 1, role)
            except ProcessFailedError as failure:
                self.failure = failure

    def _note_silence(self, now_s: float) -> None:
        for role, peer in self._peers.silent(now_s, longer_than_s=DEAD_AFTER_S):
            _tell_gone(self._work, role, peer)
        for role, peer in self._peers.silent(now_s, longer_than_s=self._work.forget_after_s):
            if role == "receiver":
                self._peers.forget(role, peer)

    def _answers(self, sender: bytes, message: Message) -> Sequence[Message]:
        match message:
            case Hello():
                return self._answers_to_hello(sender, message)
            case Results():
                self._receipts.take(sender, message)
            case CodecReport():
                for peer in self._peers.receivers_at(sender):
                    self._work.codec_report(peer, message)
            case HostReport():
                self._work.host_report(message)
            case Failure():
                self._take_failure(message)
            case Refusal():
                self._telemetry.count("semcom_messages_refused_total", 1, message.reason)
                if self._log_limit.due(message.reason, time.monotonic()):
                    event(logger, "refused", reason=message.reason, detail=message.detail)
            case _:
                raise ProtocolError("unexpected", f"{type(message).__name__} at the orchestrator")
        return []

    def _answers_to_hello(self, sender: bytes, hello: Hello) -> Sequence[Message]:
        """Return Welcome and what the peer lacks; one that computes differently is refused."""
        now_s = time.monotonic()
        if (forgotten := self._peers.make_room(hello, now_s)) is not None:
            _tell_gone(self._work, *forgotten)  # the next check of silent peers must not find it
        self._telemetry.count("semcom_heartbeats_total", 1, hello.role)
        welcome = Welcome(instance=self.instance)
        objection = _objection(self._work, hello, self.bystanders)
        if objection is not None:
            if self._peers.object_to(hello, objection, now_s):
                self._end(self._work.other_arithmetic(hello, objection))
            return [welcome]
        self._peers.take(hello, sender, now_s)
        left_alone = hello.role == "transmitter" and hello.peer in self.bystanders
        if left_alone or self._work.interrupted:
            return [welcome]
        lacking = self._work.lacks(hello)
        self.send(self._work.moves(hello))
        return [welcome, *lacking]

    def _take_failure(self, message: Failure) -> None:
        """Process a failure; only a process of this run can end it."""
        stranger = message.role == "transmitter" and message.peer not in self._work.links
        if stranger or message.run not in (None, self._work.run):
            if self._log_limit.due(f"failure of {message.peer}", time.monotonic()):
                event(logger, "failure elsewhere", peer=message.peer, detail=message.detail)
            return
        text = f"{message.role} {message.peer}: {message.detail}"
        self._end(self._work.failed(message, text))

    def _record(self) -> None:
        try:
            told = self._receipts.record()
        except (AccountingError, StorageError) as error:
            self.failure = error
            return
        for sender, message in told:
            self._control.send(message, to=sender)


def _tell_gone(work: Work, role: Role, peer: str) -> None:
    """Notify the work of a peer that was silent for too long and may belong to no link."""
    if role == "receiver":
        work.receiver_gone(peer)
    elif role == "transmitter" and peer in work.links:
        work.transmitter_gone(peer)


def _objection(work: Work, hello: Hello, bystanders: Collection[str]) -> str | None:
    """Return why the answers of a process of this run would differ from the plan, if so."""
    wanted, here = work.arithmetic.get(hello.role), hello.arithmetic
    stranger = hello.role == "transmitter" and (
        hello.peer not in work.links or hello.peer in bystanders
    )
    if wanted is None or here is None or stranger:
        return None
    if hello.role == "receiver" and here.engine is None:  # of an earlier version, without a choice
        here = here.model_copy(update={"engine": "torch"})
    if here == wanted:
        return None
    return f"{hello.role} {hello.peer} computes with {here}, this run with {wanted}"
