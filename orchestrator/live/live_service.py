"""A live system as one service: the stream, sweeps in between, and external requests."""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Any

from orchestrator.control.service import ControlService
from orchestrator.control.system import ProcessSystem
from orchestrator.live.codec_requests import CodecRequests
from orchestrator.live.hosted_sweep import HostedSweep, check_fits
from orchestrator.live.links import answered
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.live.requests import (
    Answer,
    Asked,
    ChannelRequest,
    CodecRequest,
    Desk,
    ItemRequest,
    StatusRequest,
    StopSystem,
    SweepRequest,
)
from orchestrator.live.stream import Stream
from orchestrator.live.stream_work import StreamWork
from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import Plan
from orchestrator.sweep.run import RunOutcome
from semcom.errors import ConfigurationError, SemcomError
from semcom.sockets import Endpoint, Received
from semcom.telemetry import event
from semcom.worker import Worker

logger = logging.getLogger("orchestrator.live")

DRAIN_S = 10.0  # until a sweep begins although frames of the stream are still in flight
STOP_S = 10.0  # until the system ends although some still are


class LiveSystem:
    """Serves until it is stopped; `Service` of the run loop."""

    def __init__(
        self,
        system: ProcessSystem,
        scenario: LiveScenario,
        stream: Stream,
        *,
        folders: Folders,
        desk: Desk,
        watcher: Callable[[dict[str, Any]], None],
    ) -> None:
        self._system = system
        self._scenario = scenario
        self._stream = stream
        self._folders = folders
        self._desk = desk
        self._watcher = watcher
        self._worker: Worker[Plan | RunOutcome] = Worker(system.wakeup, "planner")
        self._streaming = ControlService(
            system.control,
            StreamWork(stream, system.telemetry),
            launcher=system.launcher,
            telemetry=system.telemetry,
        )
        self._active = self._streaming
        self._sweep: HostedSweep | None = None
        self._drain_until_s = 0.0
        self._codecs = CodecRequests(stream, scenario, folders)
        self._stop_by_s = math.inf
        self._start_s = self._next_watch_s = time.monotonic()

    @property
    def endpoints(self) -> Sequence[Endpoint]:
        """Control."""
        return (self._system.control,)

    @property
    def ready(self) -> bool:
        """Return whether every role has sent something."""
        return self._active.ready

    @property
    def failure(self) -> Exception | None:
        """Return the error that ended the stream."""
        return self._streaming.failure

    @property
    def done(self) -> bool:
        """Return whether everything has ended."""
        if self.failure is not None or time.monotonic() >= self._stop_by_s:
            return True
        return self._stopping and self._active.done

    def handle(self, endpoint: Endpoint, received: Received) -> None:
        """Take a message from a process."""
        self._active.handle(endpoint, received)

    def tick(self, now_s: float) -> float:
        """Serve the current work, and pending requests."""
        for asked in self._desk.take():
            self._serve(asked, now_s)
        for outcome in self._worker.outcomes():
            self._take_work(outcome.value, outcome.error, now_s)
        wait_s = self._active.tick(now_s)
        self._codecs.answer_ended()
        self._step_sweep(now_s)
        if now_s >= self._next_watch_s:
            self._next_watch_s = now_s + 1.0
            self._watcher(self.status(now_s))
        return min(wait_s, max(0.0, self._next_watch_s - now_s))

    def drain(self) -> None:
        """Stop; finish frames in flight if that is possible soon."""
        self._stop_by_s = min(self._stop_by_s, time.monotonic() + STOP_S)
        self._active.drain()

    def close(self) -> None:
        """End pending requests and work."""
        error = ConfigurationError("the system has ended")
        sweep = self._sweep
        if sweep is not None and sweep.service is not None and not sweep.over:
            sweep.finish()
        waiting = [*self._codecs.take_waiting(), *(asked.answer for asked in self._desk.take())]
        for future in waiting:
            future.set_exception(error)
        if sweep is not None:
            sweep.answer(error)
        self._worker.close()  # writing a sweep is finished before its folder is released
        if sweep is not None and not sweep.over:
            sweep.fail(error)

    def status(self, now_s: float) -> dict[str, Any]:
        """Return a snapshot for tables, charts and pages; `docs/live.md` describes it."""
        sweep = self._sweep
        heard = self._active.heard(now_s)
        return {
            "name": self._scenario.name,
            "run": self._stream.run,
            "pid": os.getpid(),
            "phase": self._phase,
            "uptime_s": round(now_s - self._start_s, 1),
            "window_s": self._scenario.window_s,
            "links": self._stream.status(now_s, heard=heard),
            "processes": self._active.processes(now_s),
            "sweep": None if sweep is None else sweep.status(),
        }

    @property
    def _stopping(self) -> bool:
        return self._stop_by_s < math.inf

    @property
    def _phase(self) -> str:
        if self._stopping:
            return "stopping"
        if self._active is not self._streaming:
            return "sweeping"
        return "pausing" if self._stream.paused else "streaming"

    def _serve(self, asked: Asked, now_s: float) -> None:
        try:
            answer = self._answer(asked, now_s)
            if answer is not None:
                asked.answer.set_result(answer)
        except SemcomError as error:
            asked.answer.set_exception(error)

    def _answer(self, asked: Asked, now_s: float) -> Answer | None:
        """Return the answer to a request; None if it is given later."""
        wanted = asked.wanted
        match wanted:
            case StatusRequest():
                return self.status(now_s)
            case ItemRequest():
                return {"frame": answered(self._stream.link(wanted.link))}
            case ChannelRequest():
                self._stream.set_channel(wanted)
                event(logger, "channel set", **wanted.model_dump())
                return {"link": wanted.link}
            case CodecRequest():
                self._streaming.send(self._codecs.begin(wanted, asked.answer))
                return None
            case SweepRequest():
                self._begin_sweep(wanted, asked.answer)
                return None
            case StopSystem():
                self.drain()
                return {"stopping": True}

    def _begin_sweep(self, wanted: SweepRequest, answer: Future[Answer]) -> None:
        if self._sweep is not None and not self._sweep.over:
            raise ConfigurationError("a sweep is running; wait until it has ended")
        check_fits(wanted.scenario, self._scenario, list(self._scenario.links))
        for objection in self._streaming.objections(time.monotonic()):
            raise ConfigurationError(objection)
        self._sweep = HostedSweep(wanted, self._folders, self._worker, self._system.telemetry)
        self._sweep.asked = answer

    def _take_work(
        self, value: Plan | RunOutcome | None, error: Exception | None, now_s: float
    ) -> None:
        sweep = self._sweep
        assert sweep is not None
        if isinstance(value, Plan):
            sweep.planned(value)
            self._streaming.send(self._stream.pause())
            self._drain_until_s = now_s + DRAIN_S
        elif isinstance(value, RunOutcome):
            sweep.reported(value)
            event(logger, "sweep done", folder=str(sweep.folder), digest=value.results_digest)
        else:
            _fail(sweep, error or ConfigurationError("no outcome"))

    def _step_sweep(self, now_s: float) -> None:
        sweep = self._sweep
        if sweep is None or self._stopping:
            return
        if sweep.state == "draining":
            if self._stream.drained or now_s >= self._drain_until_s:
                self._run_sweep(sweep)
        elif sweep.state == "running" and self._active.done:
            sweep.finish()
            self._active = self._streaming
            self._stream.resume()
            event(logger, "stream resumed", sweep=sweep.state)

    def _run_sweep(self, sweep: HostedSweep) -> None:
        try:
            service = sweep.run(self._system.control, self._system.launcher)
        except SemcomError as error:
            self._stream.resume()
            _fail(sweep, error)
            return
        assert sweep.plan is not None
        service.bystanders = frozenset(set(self._scenario.links) - set(sweep.plan.links))
        self._active = service
        event(logger, "sweep begins", run=service.run, folder=str(sweep.folder))
        sweep.answer(sweep.status())


def _fail(sweep: HostedSweep, error: Exception) -> None:
    sweep.fail(error)
    event(logger, "sweep failed", error=str(error))
    sweep.answer(error)
