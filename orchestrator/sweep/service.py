"""The orchestrator's part of a sweep: sockets, ledger and launcher around the state machine."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Protocol

from orchestrator.control.launcher import Launcher
from orchestrator.control.service import ControlService
from orchestrator.results.ledger import Ledger
from orchestrator.sweep.curve_metrics import SweepCurves
from orchestrator.sweep.state import Sweep
from semcom.errors import CheckpointError, ConfigurationError, ProcessFailedError, StorageError
from semcom.messages import CodecReport, Failure, Hello, Message, Results
from semcom.sockets import Endpoint
from semcom.telemetry import Telemetry


class Watcher(Protocol):
    """Who wants to know how a sweep gets on."""

    def progress(self, recorded: int) -> None:
        """Frames were recorded."""
        ...

    def waiting(self, roles: list[str]) -> None:
        """Roles that have not been heard of lately; empty once all are there."""
        ...


class SweepService(ControlService):
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
        super().__init__(
            control,
            run=sweep.plan.run,
            links=sweep.plan.links,
            arithmetic=sweep.plan.arithmetic,
            launcher=launcher,
            telemetry=telemetry,
        )
        self._sweep = sweep
        self._ledger = ledger
        self._watcher = watcher
        self._curves = SweepCurves(telemetry, sweep, ledger)
        telemetry.set("semcom_sweep_frames_planned", sweep.plan.total_frames)
        self._recorded()

    @property
    def done(self) -> bool:
        """Whether the sweep has come to its end, good or bad."""
        if self.failure is not None or self._sweep.complete:
            return True
        if self._sweep.stuck:
            details = "; ".join(self._sweep.refused.values())
            self.failure = CheckpointError(f"a codec was refused: {details}")
            return True
        return self.drained

    def _lacks(self, hello: Hello) -> list[Message]:
        return self._sweep.hello(hello)

    def _take_other_arithmetic(self, hello: Hello, text: str) -> None:
        """It ends the run, for good if a receiver may have answered before its hello was read."""
        if hello.role == "receiver":
            text += "; it may have answered, so this run cannot be resumed"
        elif self.interrupted:
            return
        self.failure = self.failure or ConfigurationError(text)
        if hello.role == "receiver":
            with suppress(StorageError):  # a full disk does not hide why the run ends
                self._ledger.cast_doubt(text)

    def _take_report(self, peer: str, report: CodecReport) -> None:
        self._sweep.codec_report(peer, report)

    def _receiver_gone(self, peer: str) -> None:
        self._sweep.receiver_gone(peer)

    def _take_failure(self, message: Failure, text: str) -> None:
        """It ends the run."""
        self.failure = self.failure or ProcessFailedError(text, message.exit_code)

    def _commit(self, batch: Sequence[Results]) -> list[int]:
        with self._ledger.transaction():
            return [self._ledger.record(m.link, m.codec, m.results) for m in batch]

    def _follow_up(self, message: Results) -> list[Message]:
        frames = [(result.point, result.frame) for result in message.results]
        more = self._sweep.recorded(message.link, frames)
        self._curves.recorded(message.link, {point for point, _ in frames})
        return more

    def _housekeep(self, now_s: float) -> None:
        try:
            self._ledger.check_place()
        except StorageError as error:
            self.failure = self.failure or error
        self._watcher.waiting(self.absent(now_s))

    def _recorded(self) -> None:
        recorded = self._sweep.plan.total_frames - self._sweep.missing_frames
        self._telemetry.set("semcom_sweep_frames_recorded", recorded)
        self._watcher.progress(recorded)
