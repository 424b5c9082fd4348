"""What the orchestrator says to its processes whatever they work at: a sweep, or a live stream.

Greetings are answered with what the peer lacks, results are recorded before they are
acknowledged, and processes that die are started again.
"""

from __future__ import annotations

import logging
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

from orchestrator.control.launcher import Launcher
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
    Arithmetic,
    CodecReport,
    Failure,
    Hello,
    Message,
    Recorded,
    Refusal,
    Results,
    Role,
    Welcome,
)
from semcom.metric_table import PEERS
from semcom.service import HEARTBEAT_S, new_instance
from semcom.sockets import Endpoint, Received
from semcom.telemetry import Telemetry, event
from semcom.waits import FIRST_S, Reminder
from semcom.waits import logger as waits
from semcom.wire import refusal

STARTING_S = 15.0
logger = logging.getLogger("orchestrator")

T = TypeVar("T")
MAX_PEERS = 1024  # that are remembered, by role and name
LOGGED_EVERY_S = 1.0  # what one kind of message has logged


class ControlService(ABC):
    """The orchestrator's end of the control socket, during one run."""

    def __init__(
        self,
        control: Endpoint,
        *,
        run: str,
        links: Collection[str],
        arithmetic: Mapping[Role, Arithmetic],
        launcher: Launcher | None,
        telemetry: Telemetry,
    ) -> None:
        self.instance = new_instance()
        self.run = run
        self.links = links
        self._arithmetic = arithmetic
        self.failure: Exception | None = None
        self.interrupted = False
        self.bystanders: frozenset[str] = frozenset()  # transmitters that this run leaves alone
        self._control = control
        self._launcher = launcher
        self._telemetry = telemetry
        self._peers: dict[tuple[Role, str], tuple[bytes, float]] = {}
        self._objected: dict[tuple[Role, str], tuple[str, float]] = {}  # why, and heard when
        self._unrecorded: list[tuple[bytes, Results]] = []
        self._log_limit = KindLimit(every_s=LOGGED_EVERY_S)
        self._next_tick_s = 0.0
        self._attention, self._listened = Attention(HEARTBEAT_S), False
        self._begun_s = time.monotonic()
        # Processes that are started here take some seconds to be there.
        self._reminder = Reminder(FIRST_S if launcher is None else STARTING_S)
        telemetry.begin(links)

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Control."""
        return (self._control,)

    @property
    def ready(self) -> bool:
        """Whether every role has been heard of."""
        return not self.absent(time.monotonic())

    def handle(self, endpoint: Endpoint, received: Received) -> None:
        """Take a message from a process."""
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
        """Record what came in; watch the processes."""
        if self._unrecorded:
            self._record()
        if now_s >= self._next_tick_s:
            self._next_tick_s = now_s + HEARTBEAT_S / 2
            self._listened = self._attention.listened(now_s)
            for (kind, peer), (_, heard_s) in self._peers.items() if self._listened else ():
                if kind == "receiver" and now_s - heard_s > DEAD_AFTER_S:
                    self._receiver_gone(peer)
            self._show_peers(now_s)
            self._housekeep(now_s)
            self._say_who_is_missing(now_s)
            if self._launcher is not None and not self.interrupted and self.failure is None:
                try:
                    for role in self._launcher.watch(now_s):
                        self._telemetry.count("semcom_process_restarts_total", 1, role)
                except ProcessFailedError as failure:
                    self.failure = failure
        return max(0.0, self._next_tick_s - now_s)

    def drain(self) -> None:
        """Interrupted: let transmitters finish what is on its way, and record it."""
        self.interrupted = True
        if self._launcher is not None:
            self._launcher.terminate("transmitter")

    def close(self) -> None:
        """Close the socket."""
        self._control.close()

    def absent(self, now_s: float) -> list[str]:
        """Roles and links of which nothing was heard lately."""
        peers = list(self._peers.items())  # `/readyz` asks on a thread of its own
        fresh = {peer for peer, (_, heard_s) in peers if now_s - heard_s <= DEAD_AFTER_S}
        roles = {role for role, _ in fresh}
        absent: list[str] = [role for role in ("channel", "receiver") if role not in roles]
        links = [link for link in self.links if ("transmitter", link) not in fresh]
        return absent + [f"transmitter {link}" for link in links]

    def _say_who_is_missing(self, now_s: float) -> None:
        absent = [] if self.interrupted else self.absent(now_s)
        if self._reminder.due(bool(absent), now_s):
            where = "" if self._launcher is not None else f" to dial {self._control.address}"
            waits.warning(f"waiting for {', '.join(absent)}{where}")

    def _show_peers(self, now_s: float) -> None:
        for role in PEERS["orchestrator"]:
            silent_s = [
                now_s - at_s for (kind, _), (_, at_s) in self._peers.items() if kind == role
            ]
            present = sum(age_s <= DEAD_AFTER_S for age_s in silent_s)
            self._telemetry.set("semcom_peers", present, role)
            age_s = min(silent_s, default=now_s - self._begun_s)
            self._telemetry.set("semcom_heartbeat_age_seconds", age_s, role)

    def processes(self, now_s: float) -> list[dict[str, Any]]:
        """Who was heard of, and when last."""
        return [
            {
                "role": role,
                "peer": peer,
                "silent_s": round(now_s - heard_s, 1),
                "up": now_s - heard_s <= DEAD_AFTER_S,
            }
            for (role, peer), (_, heard_s) in sorted(self._peers.items())
        ]

    def heard(self, now_s: float) -> list[str]:
        """Links whose transmitter was heard of lately."""
        return [
            peer
            for (role, peer), (_, heard_s) in self._peers.items()
            if role == "transmitter" and now_s - heard_s <= DEAD_AFTER_S
        ]

    def objections(self, now_s: float) -> list[str]:
        """Why processes that were heard of lately are no peers: they compute differently."""
        return [why for why, at_s in self._objected.values() if now_s - at_s <= DEAD_AFTER_S]

    @property
    @abstractmethod
    def done(self) -> bool:
        """Whether the run has come to its end, good or bad."""

    @property
    def drained(self) -> bool:
        """Interrupted, and no transmitter is left that could report anything."""
        return (
            self.interrupted
            and not self._unrecorded
            and (self._launcher is None or not self._launcher.running("transmitter"))
        )

    @abstractmethod
    def _lacks(self, hello: Hello) -> list[Message]:
        """What the peer that says hello lacks.

        Raises:
            ConfigurationError: a transmitter of a link that is not of this run.
        """

    @abstractmethod
    def _take_other_arithmetic(self, hello: Hello, text: str) -> None:
        """A process would give other answers than were planned; it gets no work."""

    @abstractmethod
    def _take_report(self, peer: str, report: CodecReport) -> None:
        """A receiver loaded a codec, or refused it."""

    @abstractmethod
    def _receiver_gone(self, peer: str) -> None:
        """A receiver has been silent for too long."""

    @abstractmethod
    def _take_failure(self, message: Failure, text: str) -> None:
        """A process of this run cannot do its part."""

    @abstractmethod
    def _commit(self, batch: Sequence[Results]) -> list[int]:
        """Record results for good; how many frames of each message were new.

        Raises:
            AccountingError: they contradict what was planned or recorded.
        """

    def _follow_up(self, message: Results) -> list[Message]:
        """More work for a transmitter whose results were recorded."""
        del message
        return []

    @abstractmethod
    def _housekeep(self, now_s: float) -> None:
        """Twice a second: whatever else time asks for."""

    @abstractmethod
    def _recorded(self) -> None:
        """A batch was recorded and acknowledged."""

    def _answers(self, sender: bytes, message: Message) -> list[Message]:
        if isinstance(message, Hello):
            return self._answers_to_hello(sender, message)
        if isinstance(message, Results):
            if message.run != self.run:
                # Left over from a run before. Its sender forgets it once it gets work of this run;
                # a refusal could reach it after that and end its part of this one.
                self._telemetry.count("semcom_messages_refused_total", 1, "unexpected")
                return []
            if message.link not in self.links:
                raise ProtocolError("unexpected", f"results of link {message.link}")
            self._unrecorded.append((sender, message))
            return []
        if isinstance(message, CodecReport):
            for (role, peer), (known_as, _) in self._peers.items():
                if role == "receiver" and known_as == sender:
                    self._take_report(peer, message)
            return []
        if isinstance(message, Failure):
            self._on_failure(message)
            return []
        if isinstance(message, Refusal):
            self._telemetry.count("semcom_messages_refused_total", 1, message.reason)
            if self._log_limit.due(message.reason, time.monotonic()):
                event(logger, "refused", reason=message.reason, detail=message.detail)
            return []
        raise ProtocolError("unexpected", f"{type(message).__name__} at the orchestrator")

    def _answers_to_hello(self, sender: bytes, hello: Hello) -> list[Message]:
        """Welcome, and what the peer lacks; whoever computes differently is no peer."""
        name, now_s = (hello.role, hello.peer), time.monotonic()
        _make_room(self._peers, name, now_s)
        _make_room(self._objected, name, now_s)
        self._telemetry.count("semcom_heartbeats_total", 1, hello.role)
        welcome = Welcome(instance=self.instance)
        objection = self._objection(hello)
        if objection is not None:
            self._peers.pop(name, None)
            known = name in self._objected
            self._objected[name] = (objection, now_s)
            if not known:
                self._take_other_arithmetic(hello, objection)
            return [welcome]
        self._objected.pop(name, None)
        self._peers[name] = (sender, now_s)
        left_alone = hello.role == "transmitter" and hello.peer in self.bystanders
        return [welcome] if left_alone or self.interrupted else [welcome, *self._lacks(hello)]

    def _objection(self, hello: Hello) -> str | None:
        """Why a process of this run would give other answers than were planned, if it would."""
        wanted, here = self._arithmetic.get(hello.role), hello.arithmetic
        stranger = hello.role == "transmitter" and (
            hello.peer not in self.links or hello.peer in self.bystanders
        )
        if wanted is None or here is None or stranger:
            return None
        if hello.role == "receiver" and here.engine is None:  # of before there was a choice
            here = here.model_copy(update={"engine": "torch"})
        if here == wanted:
            return None
        return f"{hello.role} {hello.peer} computes with {here}, this run with {wanted}"

    def _on_failure(self, message: Failure) -> None:
        """Only a process of this run can spoil it."""
        stranger = message.role == "transmitter" and message.peer not in self.links
        if stranger or message.run not in (None, self.run):
            if self._log_limit.due(f"failure of {message.peer}", time.monotonic()):
                event(logger, "failure elsewhere", peer=message.peer, detail=message.detail)
            return
        self._take_failure(message, f"{message.role} {message.peer}: {message.detail}")

    def _record(self) -> None:
        """Commit everything that came in since the last time, then acknowledge it."""
        batch, self._unrecorded = self._unrecorded, []
        try:
            new = self._commit([message for _, message in batch])
        except (AccountingError, StorageError) as error:
            self.failure = error
            return
        for (sender, message), recorded in zip(batch, new, strict=True):
            frames = [(result.point, result.frame) for result in message.results]
            answers: list[Message] = [Recorded(run=message.run, frames=frames)]
            for answer in answers + self._follow_up(message):
                self._control.send(answer, to=sender)
            again = len(frames) - recorded
            self._telemetry.count("semcom_frames_recorded_total", recorded, message.link)
            self._telemetry.count("semcom_frames_duplicate_total", again, message.link)
        self._recorded()


def _make_room(
    known: dict[tuple[Role, str], tuple[T, float]], name: tuple[Role, str], now_s: float
) -> None:
    """Forget who has been silent for longest where another name would be one too many.

    Raises:
        ProtocolError: `overloaded`, all of them are there.
    """
    if name in known or len(known) < MAX_PEERS:
        return
    oldest = min(known, key=lambda peer: known[peer][1])
    if now_s - known[oldest][1] <= DEAD_AFTER_S:
        raise ProtocolError("overloaded", f"{MAX_PEERS} processes are known here already")
    del known[oldest]
