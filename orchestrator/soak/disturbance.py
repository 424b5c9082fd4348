"""Runs the shipped live system and sweeps inside it, and disturbs both at random.

Victims are the system's processes and the orchestrator itself, chosen by a seed: killed, or
stopped for some seconds. A killed orchestrator is started again and its sweep resumed. Towards the
end nobody is disturbed any more: the system goes on sweeping, and whether it grows can be told. At
the end every sweep is audited against its plan, the processes' logs and an undisturbed sweep.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import yaml

from orchestrator.live.client import read_status
from orchestrator.live.live_folder import Home
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import Scenario, SystemSettings
from orchestrator.results.run_folder import LEDGER, open_ledger
from orchestrator.soak.audit import audit
from orchestrator.soak.findings import Sample, Soak
from semcom.children import start_module
from semcom.errors import AccountingError, ConfigurationError, SemcomError, StorageError
from semcom.files import open_regular, read_end

SAMPLE_S = 1.0
MAX_LOG_BYTES = 1 << 16  # of what is read to say how a sweep ended
FAULT_EVERY_S = (2.0, 8.0)
STOPPED_S = (1.0, 8.0)
CALM_SHARE = 0.45  # of the time, at its end: memory is judged of processes that live through it
MIN_MINUTES = 10.0  # of which that share is enough
STREAMED_S = 5.0  # between two sweeps
DEADLINE_S = 900.0  # of a sweep, and of the system to come up
ORCHESTRATOR = "orchestrator"
NAME = "soak"
ITSELF = "semcom soak"
COURSE = {"kind": "sine", "mean": 5, "amplitude": 10, "period_s": 30}


def check_length(minutes: float, *, judge_memory: bool) -> None:
    """See that a soak is long enough for what it is to judge.

    Raises:
        ConfigurationError: it is not.
    """
    if judge_memory and minutes < MIN_MINUTES:
        raise ConfigurationError(
            f"memory is judged in soaks of {MIN_MINUTES:g} minutes or more: give --minutes "
            f"{MIN_MINUTES:g}, or --no-memory to leave it out"
        )


def run_soak(
    scenario: Scenario,
    folder: Path,
    *,
    folders: Folders,
    minutes: float,
    seed: int,
    judge_memory: bool = True,
) -> Soak:
    """Disturb a live system that sweeps for so many minutes; the last sweep is finished.

    Raises:
        AccountingError: a sweep or the system did not come to its end.
        StorageError: the disk refuses.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {folder}: {error.strerror}") from error
    audited = scenario.model_copy(update={"log_frames": True})
    with Disturbance(audited, folder, folders, seed=seed) as system:
        system.soak.judge_memory = judge_memory
        system.sweep("undisturbed")
        end_s = time.monotonic() + 60 * minutes
        system.begin(calm_s=end_s - CALM_SHARE * 60 * minutes)
        while time.monotonic() < end_s:
            system.soak.rounds += 1
            system.sweep(f"round-{system.soak.rounds}")
            system.stream(STREAMED_S)
        system.end()
        _judge(system.soak, folder)
    return system.soak


def live_scenario(scenario: Scenario) -> LiveScenario:
    """A live system with the links and processes of a sweep."""
    links = {
        name: {"dataset": link.dataset, "codec": link.all_codecs[0], "course": COURSE}
        for name, link in scenario.links.items()
    }
    shared = scenario.model_dump(include=set(SystemSettings.model_fields) - {"shards"}, mode="json")
    return LiveScenario.model_validate({**shared, "name": NAME, "mode": "live", "links": links})


class Disturbance:
    """A live system under way, and what is done to it."""

    def __init__(self, scenario: Scenario, folder: Path, folders: Folders, *, seed: int) -> None:
        self.soak = Soak()
        self._scenario = scenario
        self._folder = folder
        self._home = Home(folder, NAME)
        self._options = (
            *("--runs", folder, "--data", folders.data, "--codecs", folders.codecs, "--name", NAME),
        )
        self._dice = random.Random(seed)
        self._next_fault_s = self._calm_s = float("inf")
        self._next_sample_s = 0.0
        self._stopped: list[tuple[float, psutil.Process]] = []
        self._live = self._write("live", live_scenario(scenario))
        self._system = self._start("up", self._live)

    def __enter__(self) -> Disturbance:
        self._wait_until_up()
        return self

    def __exit__(self, *_: object) -> None:
        self._resume_all()
        if self._system.poll() is None:
            self._system.kill()  # its processes follow it
            self._system.wait()

    def begin(self, *, calm_s: float) -> None:
        """Faults from now until `calm_s` (of the monotonic clock)."""
        self._next_fault_s = time.monotonic() + self._dice.uniform(*FAULT_EVERY_S)
        self._calm_s = calm_s

    def end(self) -> None:
        """See that the live links' accounts balance, and end the system.

        Raises:
            AccountingError: it does not end well.
        """
        self._calm_s = 0.0
        self._resume_all()
        self._revive()
        self.stream(STREAMED_S)
        self.soak.present = {(peer, each.pid) for peer, each in self._watched()}
        self._count_streamed()
        self._system.send_signal(signal.SIGTERM)
        if self._system.wait(DEADLINE_S) != 0:
            raise AccountingError(f"the live system ended with {self._system.returncode}")

    def sweep(self, name: str) -> None:
        """One sweep inside the system, through all its disturbances.

        Raises:
            AccountingError: it does not come to its end.
        """
        path = self._write(name, self._scenario.model_copy(update={"name": name}))
        deadline_s = time.monotonic() + DEADLINE_S
        while True:
            self._revive()
            resume = ["--resume"] if (self._folder / name / LEDGER).exists() else []
            process = self._start("sweep", path, "--live", *resume)
            while process.poll() is None:
                if time.monotonic() > deadline_s:
                    process.kill()
                    raise AccountingError(f"{name} is not complete after {DEADLINE_S:.0f} s")
                self._watch()
            if process.returncode == 0:
                return
            # Only the orchestrator's death may end a sweep.
            with suppress(subprocess.TimeoutExpired):
                self._system.wait(1.0)
            if self._system.poll() is None:
                log = self._folder / f"{name}.log"
                text = read_end(log, max_bytes=MAX_LOG_BYTES).decode(errors="replace")
                last = (text.strip().splitlines() or ["nothing"])[-1]
                raise AccountingError(f"{name} ended with {process.returncode}: {last}")

    def stream(self, seconds: float) -> None:
        """Let the links stream for so long."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._revive()
            self._watch()

    def _revive(self) -> None:
        """Start the system again where its orchestrator was killed."""
        if self._system.poll() is not None:
            self._resume_all()
            self._system = self._start("up", self._live)
            self._wait_until_up()

    def _wait_until_up(self) -> None:
        deadline_s = time.monotonic() + DEADLINE_S
        while self._home.find() is None:
            if self._system.poll() is not None or time.monotonic() > deadline_s:
                raise AccountingError(f"the live system does not come up; see {self._folder}")
            time.sleep(0.1)

    def _watch(self) -> None:
        """What is due now: a sample, a fault, the end of a stop; a tenth of a second."""
        now_s = time.monotonic()
        for due_s, stopped in [each for each in self._stopped if each[0] <= now_s]:
            with suppress(psutil.Error):
                stopped.resume()
            self._stopped.remove((due_s, stopped))
        if now_s >= self._next_sample_s:
            self._next_sample_s = now_s + SAMPLE_S
            self._sample(now_s)
        if self._next_fault_s <= now_s < self._calm_s:
            self._next_fault_s = now_s + self._dice.uniform(*FAULT_EVERY_S)
            self._disturb(now_s)
        time.sleep(0.1)

    def _disturb(self, now_s: float) -> None:
        """Kill or stop somebody."""
        kill, seconds = self._dice.random() < 0.5, self._dice.uniform(*STOPPED_S)
        victims = dict(sorted(self._processes()))
        if not victims:
            return
        peer = self._dice.choice(list(victims))
        with suppress(psutil.Error):
            if kill:
                if peer == ORCHESTRATOR:
                    self._count_streamed()
                victims[peer].send_signal(signal.SIGKILL)
            else:
                victims[peer].suspend()
                self._stopped.append((now_s + seconds, victims[peer]))
            self.soak.faults[f"{'kill' if kill else 'stop'} {peer}"] += 1

    def _resume_all(self) -> None:
        for _, stopped in self._stopped:
            with suppress(psutil.Error):
                stopped.resume()
        self._stopped.clear()

    def _count_streamed(self) -> None:
        """The accounts of this life of the system; a stopped one does not tell."""
        found = self._home.find()
        with suppress(SemcomError):
            for link in read_status(found)["links"] if found is not None else []:
                self.soak.streamed += link["recorded"]
                self.soak.unaccounted += link["unaccounted"]

    def _sample(self, now_s: float) -> None:
        for peer, process in self._watched():
            with suppress(psutil.Error):
                sample = Sample(now_s, _own_mib(process), process.num_fds())
                self.soak.lives.setdefault((peer, process.pid), []).append(sample)

    def _watched(self) -> Iterator[tuple[str, psutil.Process]]:
        """Every process whose memory is judged, this one too."""
        yield from self._processes()
        yield ITSELF, psutil.Process()

    def _processes(self) -> Iterator[tuple[str, psutil.Process]]:
        """The orchestrator and the processes that it started, by name."""
        with suppress(psutil.Error):
            parent = psutil.Process(self._system.pid)
            yield ORCHESTRATOR, parent
            for child in parent.children():
                with suppress(psutil.Error):
                    arguments = child.cmdline()
                    if "--id" in arguments:
                        yield arguments[arguments.index("--id") + 1], child

    def _write(self, name: str, scenario: SystemSettings) -> Path:
        path = self._folder / f"{name}.yaml"
        try:
            path.write_text(yaml.safe_dump(scenario.model_dump(mode="json", exclude_none=True)))
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror}") from error
        return path

    def _start(self, command: str, path: Path, *options: str) -> subprocess.Popen[bytes]:
        with (self._folder / f"{path.stem}.log").open("ab") as output:
            return start_module(
                "orchestrator",
                *(command, path, *options, *self._options),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )


def _own_mib(process: psutil.Process) -> float:
    """Memory that is the process's own, not pages of files that it maps."""
    memory = process.memory_info()
    return float(memory.rss - getattr(memory, "shared", 0)) / 2**20


def _judge(soak: Soak, folder: Path) -> None:
    """Audit every sweep against the logs of the processes that all of them share."""
    logs = list(_logs(Home(folder, NAME).logs))
    with open_ledger(folder / "undisturbed") as ledger:
        reference, digest = list(ledger.rows()), ledger.results_digest()
    for number in range(1, soak.rounds + 1):
        with open_ledger(folder / f"round-{number}") as ledger:
            rows, plan, tasks = list(ledger.rows()), ledger.plan, ledger.tasks
            soak.digests_equal &= ledger.results_digest() == digest
        found = audit(plan, rows, logs, reference=reference, witnessed=True, tasks=tasks)
        soak.audits.append(found)


def _logs(folder: Path) -> Iterator[dict[str, Any]]:
    """Every record of every process; what a kill cut short is skipped."""
    for path in sorted(folder.glob("*.jsonl")):
        with os.fdopen(open_regular(path), errors="replace") as lines:
            for line in lines:
                with suppress(ValueError):
                    record = json.loads(line)
                    if isinstance(record, dict):
                        yield record
