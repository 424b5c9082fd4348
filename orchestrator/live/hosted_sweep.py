"""A sweep with the processes of a live system: planned, run and reported as by `semcom sweep`."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Literal

from orchestrator.control.launcher import Launcher
from orchestrator.control.service import ControlService
from orchestrator.datasets.prepare import draw_missing
from orchestrator.live.requests import Answer, SweepRequest
from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario, SystemSettings
from orchestrator.reports.separate_process import write_report_apart
from orchestrator.results.resumption import sweep_words
from orchestrator.results.run_lock import alone_in, check_not_live, claim_folder, last_folder, leave
from orchestrator.sweep.run import (
    BegunRun,
    RunOutcome,
    begin_run,
    finish_run,
    plan_run,
)
from orchestrator.sweep.sweep_work import SweepWork
from semcom.errors import ConfigurationError, SemcomError
from semcom.sockets import Endpoint
from semcom.telemetry import Telemetry, log_file
from semcom.worker import Worker

# Settings that affect answers must be equal; those of processes cannot differ from the running
# ones.
DECIDES = ("decoding", "threads", "device", "engine", "receiver_engine")
OF_PROCESSES = ("receivers", "shards", "noise_engine", "ports", "security", "log_frames")

State = Literal["planning", "draining", "running", "reporting", "done", "failed"]


def check_fits(scenario: Scenario, settings: SystemSettings, links: list[str]) -> None:
    """Check that a sweep has the same meaning with running processes as with its own.

    Raises:
        ConfigurationError: a link has no transmitter, answers could differ, or a setting of
            processes would have no effect.
    """
    missing = [link for link in scenario.links if link not in links]
    if missing:
        raise ConfigurationError(
            f"no transmitter for link {', '.join(missing)}; links here: {', '.join(links)}"
        )
    for name in DECIDES:
        wanted, here = getattr(scenario, name), getattr(settings, name)
        if wanted != here:
            raise ConfigurationError(
                f"the sweep asks for {name} {wanted}, the running processes have {here}"
            )
    if scenario.groups and settings.shards > 1:
        raise ConfigurationError(
            "groups: the running links are spread over several shards, but links that "
            "meet must be in one"
        )
    if scenario.keep_answers:
        raise ConfigurationError(
            "keep_answers: has no effect in a live system, whose processes are already running; "
            "leave it out"
        )
    for name in OF_PROCESSES:
        left_out = SystemSettings.model_fields[name].default
        if getattr(scenario, name) not in (left_out, getattr(settings, name)):
            raise ConfigurationError(
                f"{name}: has no effect in a live system, whose processes are already running; "
                "leave it out"
            )


class HostedSweep:
    """One sweep from request to report. The worker's thread does slow work."""

    def __init__(
        self, request: SweepRequest, folders: Folders, worker: Worker[Any], telemetry: Telemetry
    ) -> None:
        self.state: State = "planning"
        self.error: Exception | None = None
        self.service: ControlService | None = None
        self.plan: Plan | None = None
        self.missing_roles: list[str] = []
        self.asked: Future[Answer] | None = None  # request that waits for it to begin
        self._recorded = 0
        self._request = request
        self._folders = folders
        self._worker = worker
        self._telemetry = telemetry
        self._begun: BegunRun | None = None
        self._outcome: RunOutcome | None = None
        self._held = ExitStack()  # the locked folder and ledger, until everything is written
        self._open = ExitStack()  # the log
        wanted = folders.runs / (request.name or request.scenario.name)
        check_not_live(wanted, folders.runs)
        if request.name is None:  # a new folder for each; the last one can be resumed
            wanted = last_folder(wanted) if request.resume else claim_folder(wanted)
        self.folder: Path = wanted
        self._start(self._make_plan)

    @property
    def over(self) -> bool:
        """Return whether it has ended."""
        return self.state in ("done", "failed")

    def planned(self, plan: Plan) -> None:
        """Return whether the plan exists, so that processes may be drained."""
        self.plan, self.state = plan, "draining"

    def run(self, control: Endpoint, launcher: Launcher | None) -> ControlService:
        """Open the ledger and take over the control socket.

        Raises:
            SemcomError: the run's folder cannot be used.
        """
        assert self.plan is not None
        scenario, resume = self._request.scenario, self._request.resume
        self._held.enter_context(alone_in(self.folder, self._folders.runs))
        path = self._request.path
        command = [] if path is None else sweep_words(Path(path), self._folders)
        begun = begin_run(
            scenario, self.plan, self.folder, self._folders, resume=resume, command=command
        )
        self._held.callback(begun.ledger.close)
        self._open.enter_context(log_file(self.folder / "logs" / "orchestrator.jsonl"))
        self._begun, self.plan, self.state = begun, begun.plan, "running"
        work = SweepWork(begun.sweep, begun.ledger, telemetry=self._telemetry, watcher=self)
        self.service = ControlService(control, work, launcher=launcher, telemetry=self._telemetry)
        return self.service

    def finish(self) -> None:
        """End the sweep: close the log, and start the report if it succeeded."""
        assert self._begun is not None
        assert self.service is not None
        self._open.close()
        self._telemetry.set("semcom_sweep_frames_planned", 0)  # none runs
        if self.service.failure is not None:
            self.fail(self.service.failure)
        elif not self._begun.sweep.complete:
            self.fail(self._begun.interrupted())
        else:
            self.state, begun = "reporting", self._begun
            report = write_report_apart if self._request.report else None
            self._start(lambda: finish_run(begun, report, data=self._folders.data))
        self.service = None

    def reported(self, outcome: RunOutcome) -> None:
        """Note that everything is written."""
        self._held.close()
        self._outcome, self.state = outcome, "done"

    def fail(self, error: Exception) -> None:
        """End the sweep with an error."""
        self._open.close()
        self._held.close()
        if self._request.name is None:
            leave(self.folder)
        self.error, self.state = error, "failed"

    def answer(self, outcome: Answer | Exception) -> None:
        """Answer the request for the sweep once: it has begun, or why not."""
        asked, self.asked = self.asked, None
        if asked is None:
            return
        if isinstance(outcome, Exception):
            asked.set_exception(outcome)
        else:
            asked.set_result(outcome)

    def progress(self, recorded: int) -> None:
        """Frames were recorded."""
        self._recorded = recorded

    def notice(self, text: str) -> None:
        """Ignore it: the log has it."""

    def waiting(self, roles: list[str]) -> None:
        """Note the roles that are silent."""
        self.missing_roles = roles

    def status(self) -> dict[str, Any]:
        """Return its progress."""
        error, outcome = self.error, self._outcome
        return {
            "name": self._request.scenario.name,
            "state": self.state,
            "folder": str(self.folder),
            "planned": 0 if self.plan is None else self.plan.total_frames,
            "recorded": self._recorded,
            "waiting": self.missing_roles if self.state == "running" else [],
            "results_digest": None if outcome is None else outcome.results_digest,
            "report": None if outcome is None or outcome.report is None else str(outcome.report),
            "undrawn": None if outcome is None else outcome.undrawn,
            "seconds": None if outcome is None else round(outcome.seconds, 1),
            "error": None if error is None else str(error),
            "exit_code": None
            if error is None
            else getattr(error, "exit_code", SemcomError.exit_code),
        }

    def _make_plan(self) -> Plan:
        scenario, data = self._request.scenario, self._folders.data
        draw_missing((link.dataset for link in scenario.links.values()), data)
        return plan_run(scenario, self._folders)

    def _start(self, work: Callable[[], Plan | RunOutcome]) -> None:
        self._worker.submit(work)
