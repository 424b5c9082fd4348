"""The orchestrator's part of a sweep: sockets, ledger and launcher around the state machine."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Protocol

from orchestrator.launcher import Launcher, ProcessFailedError
from orchestrator.ledger import Ledger
from orchestrator.sweep import Sweep
from semcom.errors import AccountingError, CheckpointError, ConfigurationError, ProtocolError
from semcom.messages import (
    CodecReport,
    Failure,
    Hello,
    Message,
    Recorded,
    Refusal,
    Results,
    Welcome,
)
from semcom.service import DEAD_AFTER_S, HEARTBEAT_S, new_instance
from semcom.sockets import Endpoint, Received
from semcom.telemetry import Telemetry, event
from semcom.wire import refusal

logger = logging.getLogger("orchestrator")


class Watcher(Protocol):
    """Who wants to know how a sweep gets on."""

    def progress(self, recorded: int) -> None:
        """Frames were recorded."""
        ...

    def waiting(self, roles: list[str]) -> None:
        """Roles that have not been heard of lately; empty once all are there."""
        ...


class SweepService:
    """Answers the processes of a run until every frame is recorded."""

    def __init__(
        self,
        control: Endpoint,
        *,
        sweep: Sweep,
        ledger: Ledger,
        launcher: Launcher | None,
        telemetry: Telemetry,
        watcher: Watcher,
    ) -> None:
        self.instance = new_instance()
        self.failure: Exception | None = None
        self.interrupted = False
        self._control = control
        self._sweep = sweep
        self._ledger = ledger
        self._launcher = launcher
        self._telemetry = telemetry
        self._watcher = watcher
        self._peers: dict[tuple[str, str], tuple[bytes, float]] = {}
        self._unrecorded: list[tuple[bytes, Results]] = []
        self._next_tick_s = 0.0
        telemetry.set("semcom_sweep_frames_planned", sweep.plan.total_frames)
        self._show_progress()

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Control."""
        return (self._control,)

    @property
    def ready(self) -> bool:
        """Whether every role has been heard of."""
        return not self._absent(time.monotonic())

    @property
    def done(self) -> bool:
        """Whether the sweep has come to its end, good or bad."""
        if self.failure is not None or self._sweep.complete:
            return True
        if self._sweep.stuck:
            details = "; ".join(self._sweep.refused.values())
            self.failure = CheckpointError(f"a codec was refused: {details}")
            return True
        return (
            self.interrupted
            and not self._unrecorded
            and (self._launcher is None or not self._launcher.running("transmitter"))
        )

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
            self._watcher.waiting(self._absent(now_s))
            for (role, peer), (_, heard_s) in self._peers.items():
                if role == "receiver" and now_s - heard_s > DEAD_AFTER_S:
                    self._sweep.receiver_gone(peer)
            if self._launcher is not None and not self.interrupted:
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

    def _answers(self, sender: bytes, message: Message) -> list[Message]:
        if isinstance(message, Hello):
            self._peers[message.role, message.peer] = (sender, time.monotonic())
            answers: list[Message] = [Welcome(instance=self.instance)]
            return answers + ([] if self.interrupted else self._sweep.hello(message))
        if isinstance(message, Results):
            if message.run != self._sweep.plan.run:
                raise ProtocolError("unexpected", f"results of run {message.run}")
            if message.link not in self._sweep.plan.links:
                raise ProtocolError("unexpected", f"results of link {message.link}")
            self._unrecorded.append((sender, message))
            return []
        if isinstance(message, CodecReport):
            self._sweep.codec_report(message)
            return []
        if isinstance(message, Failure):
            self._take_failure(message)
            return []
        if isinstance(message, Refusal):
            event(logger, "refused", reason=message.reason, detail=message.detail)
            return []
        raise ProtocolError("unexpected", f"{type(message).__name__} at the orchestrator")

    def _take_failure(self, message: Failure) -> None:
        """A process of this run that cannot do its part ends the run; nobody else does."""
        plan = self._sweep.plan
        stranger = message.role == "transmitter" and message.peer not in plan.links
        if stranger or message.run not in (None, plan.run):
            event(logger, "failure elsewhere", peer=message.peer, detail=message.detail)
            return
        text = f"{message.role} {message.peer}: {message.detail}"
        self.failure = self.failure or ProcessFailedError(text, message.exit_code)

    def _record(self) -> None:
        """Commit everything that came in since the last time, then acknowledge it."""
        batch, self._unrecorded = self._unrecorded, []
        try:
            with self._ledger.transaction():
                new = [self._ledger.record(m.link, m.codec, m.results) for _, m in batch]
        except AccountingError as error:
            self.failure = error
            return
        for (sender, message), recorded in zip(batch, new, strict=True):
            frames = [(result.point, result.frame) for result in message.results]
            answers: list[Message] = [Recorded(run=message.run, frames=frames)]
            answers += self._sweep.recorded(message.link, frames)
            for answer in answers:
                self._control.send(answer, to=sender)
            again = len(frames) - recorded
            self._telemetry.count("semcom_frames_recorded_total", recorded, message.link)
            self._telemetry.count("semcom_frames_duplicate_total", again, message.link)
        self._show_progress()

    def _show_progress(self) -> None:
        recorded = self._sweep.plan.total_frames - self._sweep.missing_frames
        self._telemetry.set("semcom_sweep_frames_recorded", recorded)
        self._watcher.progress(recorded)

    def _absent(self, now_s: float) -> list[str]:
        """Roles and links of which nothing was heard lately."""
        fresh = {
            peer for peer, (_, heard_s) in self._peers.items() if now_s - heard_s <= DEAD_AFTER_S
        }
        roles = {role for role, _ in fresh}
        absent = [role for role in ("channel", "receiver") if role not in roles]
        links = [link for link in self._sweep.plan.links if ("transmitter", link) not in fresh]
        return absent + [f"transmitter {link}" for link in links]
