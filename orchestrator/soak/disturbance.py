"""Run the shipped live system with sweeps in it, and disturb both at random.

The system's processes and the orchestrator itself are killed, or stopped for some seconds, as
chosen by a seed. A killed orchestrator is started again and its sweep resumed. Towards the end, no
process is disturbed any more: the system keeps sweeping, and its memory growth is measured.
Finally, every sweep is audited against its plan, the processes' logs and an undisturbed sweep.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil

from orchestrator.live.live_folder import Home
from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import Scenario
from orchestrator.results.run_folder import open_ledger
from orchestrator.soak.audit import audit
from orchestrator.soak.faults import Faults
from orchestrator.soak.findings import Sample, Soak
from orchestrator.soak.system_under_test import DEADLINE_S, NAME, ORCHESTRATOR, SystemUnderTest
from semcom.errors import AccountingError, ConfigurationError, StorageError
from semcom.files import open_regular

SAMPLE_S = 1.0
CALM_SHARE = 0.45  # last share of the time, over which memory growth is measured
MIN_MINUTES = 10.0  # for which that share suffices
STREAMED_S = 5.0  # between two sweeps
SETTLED_S = 1.0  # until it is clear whether a sweep ended because of the orchestrator
ITSELF = "semcom soak"


def check_length(minutes: float, *, judge_memory: bool) -> None:
    """Check that a soak is long enough to judge memory.

    Raises:
        ConfigurationError: it is too short.
    """
    if judge_memory and minutes < MIN_MINUTES:
        raise ConfigurationError(
            f"memory growth is judged in soaks of {MIN_MINUTES:g} minutes or more: set --minutes "
            f"{MIN_MINUTES:g}, or --no-memory to skip it"
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
    """Disturb a sweeping live system for some minutes; the last sweep is finished.

    Raises:
        AccountingError: a sweep or the system did not end properly.
        StorageError: the disk cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make {folder}: {error.strerror}") from error
    audited = scenario.model_copy(update={"log_frames": True})
    with Disturbance(SystemUnderTest(audited, folder, folders), seed=seed) as disturbed:
        soak = disturbed.soak
        soak.judge_memory = judge_memory
        disturbed.sweep("undisturbed")
        end_s = time.monotonic() + 60 * minutes
        disturbed.begin(calm_s=end_s - CALM_SHARE * 60 * minutes)
        while time.monotonic() < end_s:
            soak.rounds += 1
            disturbed.sweep(f"round-{soak.rounds}")
            disturbed.stream(STREAMED_S)
        disturbed.end()
        _judge(soak, folder)
    return soak


class Disturbance:
    """A running live system with its faults and counts."""

    def __init__(self, system: SystemUnderTest, *, seed: int) -> None:
        self.soak = Soak()
        self._system = system
        self._faults = Faults(seed, self.soak.faults)
        self._next_sample_s = 0.0

    def __enter__(self) -> Disturbance:
        try:
            self._system.wait_until_up()
        except BaseException:
            self._system.kill()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._faults.resume_all()
        self._system.kill()

    def begin(self, *, calm_s: float) -> None:
        """Disturb from now until `calm_s` (of the monotonic clock)."""
        self._faults.begin(time.monotonic(), calm_s=calm_s)

    def end(self) -> None:
        """Check that the live links' accounts balance, and end the system.

        Raises:
            AccountingError: it does not end properly.
        """
        self._faults.end()
        self._revive()
        self.stream(STREAMED_S)
        self.soak.present = {(peer, each.pid) for peer, each in self._watched()}
        self._count_streamed()
        self._system.end()

    def sweep(self, name: str) -> None:
        """Run one sweep in the system, through all disturbances.

        Raises:
            AccountingError: it does not complete.
        """
        deadline_s = time.monotonic() + DEADLINE_S
        while True:
            self._revive()
            process = self._system.begin_sweep(name)
            while process.poll() is None:
                if time.monotonic() > deadline_s:
                    process.kill()
                    raise AccountingError(f"{name} is not complete after {DEADLINE_S:.0f} s")
                self._watch()
            if process.returncode == 0:
                return
            if not self._system.ended_within(
                SETTLED_S
            ):  # only a killed orchestrator may end a sweep
                last = self._system.last_line(name)
                raise AccountingError(f"{name} ended with {process.returncode}: {last}")

    def stream(self, seconds: float) -> None:
        """Let the links stream for some seconds."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._revive()
            self._watch()

    def _revive(self) -> None:
        """Start the system again if its orchestrator was killed."""
        if not self._system.up:
            self._faults.resume_all()
            self._system.start_again()

    def _watch(self) -> None:
        """Do what is due now: a sample, a fault, the end of a stop; takes a tenth of a second."""
        now_s = time.monotonic()
        if now_s >= self._next_sample_s:
            self._next_sample_s = now_s + SAMPLE_S
            self._sample(now_s)
        self._faults.tick(
            now_s,
            victims=lambda: dict(self._system.processes()),
            before_kill=lambda peer: self._count_streamed() if peer == ORCHESTRATOR else None,
        )
        time.sleep(0.1)

    def _count_streamed(self) -> None:
        """Add up the accounts of the system since its last start."""
        for link in self._system.accounts():
            self.soak.streamed += link["recorded"]
            self.soak.unaccounted += link["unaccounted"]

    def _sample(self, now_s: float) -> None:
        for peer, process in self._watched():
            with suppress(psutil.Error):
                sample = Sample(now_s, _own_mib(process), process.num_fds())
                if sample.mib > 0:  # otherwise it has just ended
                    self.soak.lives.setdefault((peer, process.pid), []).append(sample)

    def _watched(self) -> Iterator[tuple[str, psutil.Process]]:
        """Return every process whose memory is judged, including this one."""
        yield from self._system.processes()
        yield ITSELF, psutil.Process()


def _own_mib(process: psutil.Process) -> float:
    """Return the process's own memory, without pages of mapped files."""
    memory = process.memory_info()
    return float(memory.rss - getattr(memory, "shared", 0)) / 2**20


def _judge(soak: Soak, folder: Path) -> None:
    """Audit every sweep against the logs of the processes, which all sweeps share."""
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
    """Yield every record of every process; incomplete lines are skipped."""
    for path in sorted(folder.glob("*.jsonl")):
        with os.fdopen(open_regular(path), errors="replace") as lines:
            for line in lines:
                with suppress(ValueError):
                    record = json.loads(line)
                    if isinstance(record, dict):
                        yield record
