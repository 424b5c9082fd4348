"""A sweep behind a control socket: ledger, curves and watcher around the state machine."""

from __future__ import annotations

import logging
import math
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from typing import Protocol

from orchestrator.control.hosts import Hosts
from orchestrator.control.work import Order
from orchestrator.results.ledger import Ledger
from orchestrator.sweep.curve_metrics import SweepCurves
from orchestrator.sweep.state import Sweep
from semcom.errors import CheckpointError, ConfigurationError, ProcessFailedError, StorageError
from semcom.fingerprint import Origin
from semcom.messages import (
    Arithmetic,
    CodecReport,
    Failure,
    Hello,
    HostReport,
    Message,
    Results,
    Role,
)
from semcom.telemetry import Telemetry, event

logger = logging.getLogger("orchestrator.sweep")


class Watcher(Protocol):
    """An observer of a sweep's progress."""

    def progress(self, recorded: int) -> None:
        """Frames were recorded."""
        ...

    def notice(self, text: str) -> None:
        """Something that a user should know and that does not end the run."""
        ...

    def waiting(self, roles: list[str]) -> None:
        """Roles are not connected; empty once all are."""
        ...


class SweepWork:
    """The `Work` of a run until every frame is recorded."""

    forget_after_s = math.inf  # who took part stays in sight
    interrupted = False

    def __init__(
        self, sweep: Sweep, ledger: Ledger, *, telemetry: Telemetry, watcher: Watcher
    ) -> None:
        self._sweep = sweep
        self._ledger = ledger
        self._telemetry = telemetry
        self._watcher = watcher
        self._hosts = Hosts(ledger.origins.all().values())
        self._unwritten: list[Origin] = []
        telemetry.begin(self.links)
        self._curves = SweepCurves(telemetry, sweep, ledger)
        telemetry.set("semcom_sweep_frames_planned", sweep.plan.total_frames)
        self.recorded()

    @property
    def run(self) -> str:
        """Name of the run."""
        return self._sweep.plan.run

    @property
    def links(self) -> Collection[str]:
        """Links of the plan."""
        return self._sweep.plan.links

    @property
    def arithmetic(self) -> Mapping[Role, Arithmetic]:
        """Return how the plan's processes compute."""
        return self._sweep.plan.arithmetic

    @property
    def complete(self) -> bool:
        """Return whether every planned frame is recorded."""
        return self._sweep.complete

    @property
    def stuck(self) -> Exception | None:
        """Return whether a codec was refused that all missing frames need."""
        if not self._sweep.stuck:
            return None
        details = "; ".join(self._sweep.refused.values())
        return CheckpointError(f"a codec was refused: {details}")

    def drain(self, *, launched: bool) -> Sequence[Order]:
        """Do nothing: transmitters on other machines end by themselves."""
        del launched
        self.interrupted = True
        return []

    def lacks(self, hello: Hello) -> Sequence[Message]:
        """Points, codecs or assignments."""
        return self._sweep.hello(hello)

    def moves(self, hello: Hello) -> Sequence[Order]:
        """Return no moves: no process waits for the Hello of another."""
        del hello
        return []

    def other_arithmetic(self, hello: Hello, text: str) -> Exception | None:
        """End the run, permanently if a receiver may have answered before its Hello was read."""
        if hello.role == "receiver":
            text += "; it may have answered, so this run cannot be resumed"
            with suppress(StorageError):  # a full disk must not hide why the run ends
                self._ledger.cast_doubt(text)
        elif self.interrupted:
            return None
        return ConfigurationError(text)

    def codec_report(self, peer: str, report: CodecReport) -> None:
        """A receiver loaded a codec, or refused it."""
        self._sweep.codec_report(peer, report)

    def host_report(self, report: HostReport) -> None:
        """Remember the host, and report if its rounding differs from that of another."""
        if report.role == "transmitter" and report.peer not in self.links:
            return  # of another run
        origin = self._hosts.take(report)
        if origin is None:
            return
        self._unwritten.append(origin)
        if told := self._hosts.told_apart(origin):
            event(logger, "hosts differ", detail=told)
            self._watcher.notice(told)

    def receiver_gone(self, peer: str) -> None:
        """Its codecs are not loaded elsewhere because of that."""
        self._sweep.receiver_gone(peer)

    def transmitter_gone(self, peer: str) -> None:
        """Its frames wait for it."""

    def failed(self, message: Failure, text: str) -> Exception | None:
        """It ends the run."""
        return ProcessFailedError(text, message.exit_code)

    def commit(self, batch: Sequence[Results]) -> list[int]:
        """Record results in the ledger, all or none of them."""
        with self._ledger.transaction():
            self.write_hosts()
            return [self._ledger.record(m.link, m.codec, m.results) for m in batch]

    def follow_up(self, message: Results) -> Sequence[Message]:
        """The next point, if one is complete."""
        frames = [(result.point, result.frame) for result in message.results]
        more = self._sweep.recorded(message.link, frames)
        self._curves.recorded(message.link, {point for point, _ in frames})
        return more

    def recorded(self) -> None:
        """Show the progress."""
        recorded = self._sweep.plan.total_frames - self._sweep.missing_frames
        self._telemetry.set("semcom_sweep_frames_recorded", recorded)
        self._watcher.progress(recorded)

    def tick(self, now_s: float) -> Sequence[Order]:
        """Do nothing: a sweep has no clock."""
        del now_s
        return []

    def wait_s(self, now_s: float) -> float:
        """Return no timeout: a sweep waits only for messages."""
        del now_s
        return math.inf

    def housekeep(self, absent: Sequence[str]) -> Exception | None:
        """Check that the ledger is in its place; report missing processes."""
        self._watcher.waiting(list(absent))
        try:
            self._ledger.check_place()
            self.write_hosts()
        except StorageError as error:
            return error
        return None

    def write_hosts(self) -> None:
        """Record hosts that have reported in the ledger.

        Raises:
            StorageError: the disk cannot be written.
        """
        if not self._unwritten:
            return
        with self._ledger.transaction():
            for origin in self._unwritten:
                self._ledger.origins.add(origin)
        self._unwritten.clear()
