"""One run from scenario to report: folder, ledger, processes, results."""

from __future__ import annotations

import secrets
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from orchestrator.catalog import Catalog
from orchestrator.codec_facts import facts_of_plan
from orchestrator.launcher import Launcher
from orchestrator.ledger import Ledger
from orchestrator.reports.report import write_report
from orchestrator.run_folder import LEDGER, RESULTS_CSV, is_evaluation
from orchestrator.run_manifest import write_run_manifest
from orchestrator.scenarios import Plan, Scenario, make_plan, receiver_names
from orchestrator.service import SweepService, Watcher
from orchestrator.settings import Folders
from orchestrator.summary import summarize, write_results_csv
from orchestrator.sweep import Sweep
from semcom import sockets
from semcom.errors import INTERRUPTED, ConfigurationError, SemcomError, StorageError
from semcom.health import HealthServer
from semcom.security import open_security
from semcom.service import serve
from semcom.sockets import Endpoint
from semcom.telemetry import Telemetry, log_file
from semcom.wakeup import Wakeup


class InterruptedRunError(SemcomError):
    """Ctrl-C; what was recorded stays."""

    exit_code = INTERRUPTED


@dataclass(frozen=True)
class RunOutcome:
    """Where a finished run lies, and what it came to."""

    folder: Path
    results_digest: str
    report: Path
    seconds: float


def run_sweep(
    scenario: Scenario,
    folder: Path,
    *,
    folders: Folders,
    watcher: Callable[[Plan], Watcher],
    resume: bool = False,
    launch: bool = True,
) -> RunOutcome:
    """Run a sweep to its end and write everything it leaves behind.

    Args:
        scenario: what to run.
        folder: the run's folder.
        folders: where data sets and codecs lie.
        watcher: makes the one who is told of the progress.
        resume: go on with a run that is there.
        launch: start the processes here; else they are started elsewhere and dial in.

    Raises:
        SemcomError: with the exit code that system.md names.
    """
    started_s = time.monotonic()
    folders = folders.absolute()
    # The name on the wire is new for every ledger, so that no process confuses two runs.
    run = f"{scenario.name}.{secrets.token_hex(4)}"
    catalog = Catalog(folders.codecs)
    plan = make_plan(scenario, run=run, data_dir=folders.data, catalog=catalog)
    ledger = _open_ledger(folder, plan, resume=resume)
    plan = ledger.plan
    try:
        sweep = Sweep(
            plan,
            recorded=ledger.recorded_frames(),
            window=scenario.window,
            encode_once=scenario.encode_once,
        )
        codecs = facts_of_plan(plan, catalog)
        write_run_manifest(folder, scenario, plan, codecs=codecs)
        if not sweep.complete:
            with log_file(folder / "logs" / "orchestrator.jsonl"):
                _serve(
                    scenario, folder, folders, sweep, ledger, watcher=watcher(plan), launch=launch
                )
        seconds = time.monotonic() - started_s
        summary = summarize(ledger)
        write_results_csv(folder / RESULTS_CSV, summary)
        digest = ledger.results_digest()
        results = {"results_digest": digest, "seconds": round(seconds, 1)}
        write_run_manifest(folder, scenario, plan, codecs=codecs, results=results)
    finally:
        ledger.close()
    return RunOutcome(folder, digest, write_report(folder, [folder]), seconds)


def free_folder(folder: Path) -> Path:
    """`folder`, or the first of folder-2, folder-3, ... that does not exist."""
    candidate, number = folder, 2
    while candidate.exists():
        candidate, number = folder.with_name(f"{folder.name}-{number}"), number + 1
    return candidate


def _serve(
    scenario: Scenario,
    folder: Path,
    folders: Folders,
    sweep: Sweep,
    ledger: Ledger,
    *,
    watcher: Watcher,
    launch: bool,
) -> None:
    if not launch and not scenario.ports.control:
        raise ConfigurationError(
            "processes that are started elsewhere must know where to dial: set ports.control"
        )
    addresses = _addresses(scenario)
    telemetry = Telemetry("orchestrator", "orchestrator")
    security = open_security(scenario.security, "orchestrator", "orchestrator", telemetry)
    control = Endpoint.bind(addresses["control"], name="control", security=security)
    launcher: Launcher | None = None
    health: HealthServer | None = None
    try:
        if launch:
            launcher = Launcher(folder, _sections(scenario, addresses, folders))
        service = SweepService(
            control,
            sweep=sweep,
            ledger=ledger,
            launcher=launcher,
            telemetry=telemetry,
            watcher=watcher,
        )
        health = HealthServer(
            "127.0.0.1",
            scenario.ports.metrics,
            registry=telemetry.registry,
            ready=lambda: service.ready,
        )
        if launcher is not None:
            _start_processes(launcher, scenario)
        wakeup = Wakeup()
        with _interruptions(wakeup) as interrupted:
            serve(service, wakeup, interrupted)
        if service.failure is not None:
            raise service.failure
        if not sweep.complete:
            raise InterruptedRunError(
                f"interrupted with {sweep.missing_frames} of {sweep.plan.total_frames} frames to go"
            )
    finally:
        if launcher is not None:
            launcher.stop()
        if health is not None:
            health.close()
        control.close()


def _start_processes(launcher: Launcher, scenario: Scenario) -> None:
    launcher.start("channel", "channel")
    for receiver in receiver_names(scenario):
        launcher.start("receiver", receiver)
    for link in scenario.links:
        launcher.start("transmitter", link)


def _addresses(scenario: Scenario) -> dict[str, str]:
    ports = scenario.ports
    wanted = {"control": ports.control, "uplink": ports.uplink, "downlink": ports.downlink}
    free = iter(sockets.free_ports(len(wanted)))
    chosen = {name: port or next(free) for name, port in wanted.items()}
    return {name: f"tcp://{ports.host}:{port}" for name, port in chosen.items()}


def _sections(
    scenario: Scenario, addresses: dict[str, str], folders: Folders
) -> dict[str, dict[str, Any]]:
    """The process file: one section per role."""
    common: dict[str, Any] = {"control": addresses["control"]}
    if scenario.security is not None:
        common["security"] = {"keys": scenario.security.keys.absolute()}
    return {
        "transmitter": {
            **common,
            "uplink": addresses["uplink"],
            "data_dir": folders.data,
            "codec_dir": folders.codecs,
            "threads": scenario.threads.transmitter,
            "log_frames": scenario.log_frames,
        },
        "channel": {
            **common,
            "uplink": addresses["uplink"],
            "downlink": addresses["downlink"],
        },
        "receiver": {
            **common,
            "downlink": addresses["downlink"],
            "codec_dir": folders.codecs,
            "mode": scenario.decoding,
            "device": scenario.device,
            "threads": scenario.threads.receiver,
            "log_frames": scenario.log_frames,
        },
    }


def _open_ledger(folder: Path, plan: Plan, *, resume: bool) -> Ledger:
    path = folder / LEDGER
    if path.exists() and not resume:
        raise ConfigurationError(f"{folder} holds a run; add --resume to go on, or choose --out")
    if resume and not path.exists():
        raise ConfigurationError(f"{folder} holds no run to resume")
    if resume and is_evaluation(folder):
        raise ConfigurationError(f"{folder} holds an evaluation, not a run; choose another --out")
    try:
        (folder / "logs").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {folder}: {error.strerror}") from error
    return Ledger(path, plan)


@contextmanager
def _interruptions(wakeup: Wakeup) -> Iterator[Callable[[], bool]]:
    """SIGINT and SIGTERM ask for the end instead of raising; a second one raises."""
    asked: list[int] = []

    def on_signal(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)
        wakeup.set()

    before = {
        number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        wakeup.close()
