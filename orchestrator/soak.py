"""A sweep that is repeated and disturbed for minutes, and what became of its frames.

Each round is the shipped `semcom sweep` as a process. Victims are its own processes and itself,
chosen by a seed: killed, or stopped for some seconds. A killed orchestrator is resumed. At the end
every round is audited against its plan, its logs and an undisturbed run of the same scenario.
"""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import yaml

from orchestrator.audit import Audit, audit
from orchestrator.ledger import FrameRow
from orchestrator.run_folder import LEDGER, open_ledger
from orchestrator.scenarios import Scenario
from orchestrator.settings import Folders
from semcom.errors import AccountingError, StorageError

SAMPLE_S = 1.0
FAULT_EVERY_S = (2.0, 8.0)
STOPPED_S = (1.0, 8.0)
JUDGED_AFTER_S = 30.0  # until then a process still loads and fills its caches
JUDGED_S = 60.0  # a slope over less says nothing
GROWTH_MIB_PER_MINUTE = 1.0
GROWTH_DESCRIPTORS = 2  # a connection that is being made again
ROUND_DEADLINE_S = 900.0
ORCHESTRATOR = "orchestrator"


@dataclass(frozen=True)
class Sample:
    """A process at one time."""

    at_s: float
    rss_mib: float
    descriptors: int


@dataclass(frozen=True)
class Growth:
    """How a process that lived long enough changed, once it had settled."""

    process: str
    seconds: float
    mib_per_minute: float
    descriptors: int

    @classmethod
    def of(cls, process: str, samples: Sequence[Sample]) -> Growth:
        """Of the samples of a settled process."""
        quarter = max(1, len(samples) // 4)
        first, last = samples[:quarter], samples[-quarter:]
        return cls(
            process=process,
            seconds=samples[-1].at_s - samples[0].at_s,
            mib_per_minute=slope_mib_per_minute(samples),
            descriptors=max(s.descriptors for s in last) - max(s.descriptors for s in first),
        )

    @property
    def bounded(self) -> bool:
        """Whether it would stay as it is for ever, as far as can be told."""
        return (
            self.mib_per_minute < GROWTH_MIB_PER_MINUTE and self.descriptors <= GROWTH_DESCRIPTORS
        )

    def __str__(self) -> str:
        """One line of the report."""
        return (
            f"{self.process}: {self.mib_per_minute:+.2f} MiB/min over {self.seconds:.0f} s, "
            f"descriptors {self.descriptors:+d}" + ("" if self.bounded else ", GROWS")
        )


@dataclass
class Soak:
    """What was done, and what was found."""

    rounds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    audits: list[Audit] = field(default_factory=list)
    digests_equal: bool = True
    lives: dict[tuple[str, int], list[Sample]] = field(default_factory=dict)
    next_fault_s: float = 0.0  # on the monotonic clock; counts on from round to round

    @property
    def clean(self) -> bool:
        """Whether every frame of every round is accounted for, and nobody grows."""
        return (
            self.digests_equal
            and all(each.clean for each in self.audits)
            and all(each.bounded for each in self.growth)
        )

    @property
    def growth(self) -> list[Growth]:
        """Of every process that lived long enough to be judged."""
        steady = {
            name: [s for s in life if s.at_s - life[0].at_s >= JUDGED_AFTER_S]
            for name, life in self.lives.items()
            if life[-1].at_s - life[0].at_s >= JUDGED_AFTER_S + JUDGED_S
        }
        return [Growth.of(f"{peer} ({pid})", steady[peer, pid]) for peer, pid in sorted(steady)]

    def lines(self) -> list[str]:
        """The report."""
        faults = ", ".join(f"{count} x {name}" for name, count in sorted(self.faults.items()))
        found = [f"{self.rounds} rounds; faults: {faults or 'none'}"]
        for kind in ("lost", "duplicated", "unexpected", "mismatching"):
            found.append(f"{kind}: {sum(len(getattr(each, kind)) for each in self.audits)}")
        found.append(f"digest equal: {'yes' if self.digests_equal else 'NO'}")
        if not self.growth:
            needed_s = JUDGED_AFTER_S + JUDGED_S
            found.append(f"memory: not judged, no process lived for {needed_s:.0f} s")
        return found + [str(each) for each in self.growth]


def slope_mib_per_minute(samples: Sequence[Sample]) -> float:
    """Least squares of memory over time."""
    middle_s = sum(sample.at_s for sample in samples) / len(samples)
    mean_mib = sum(sample.rss_mib for sample in samples) / len(samples)
    spread = sum((sample.at_s - middle_s) ** 2 for sample in samples)
    both = sum((s.at_s - middle_s) * (s.rss_mib - mean_mib) for s in samples)
    return 60.0 * both / spread if spread else 0.0


def run_soak(
    scenario: Scenario, folder: Path, *, folders: Folders, minutes: float, seed: int
) -> Soak:
    """Disturb sweeps for so many minutes; the last round is finished.

    Raises:
        AccountingError: a round did not come to its end.
        StorageError: the disk refuses.
    """
    path = folder / "scenario.yaml"
    audited = scenario.model_copy(update={"log_frames": True}).model_dump(mode="json")
    try:
        folder.mkdir(parents=True)
        path.write_text(yaml.safe_dump(audited))
    except OSError as error:
        raise StorageError(f"cannot make {folder}: {error.strerror}") from error
    soak, dice = Soak(), random.Random(seed)
    undisturbed = folder / "undisturbed"
    _Round(path, undisturbed, folders, soak, None).run()
    reference, digest = _rows(undisturbed)
    soak.next_fault_s = time.monotonic() + dice.uniform(*FAULT_EVERY_S)
    end_s = time.monotonic() + 60 * minutes
    while time.monotonic() < end_s:
        soak.rounds += 1
        disturbed = folder / f"round-{soak.rounds}"
        _Round(path, disturbed, folders, soak, dice).run()
        with open_ledger(disturbed) as ledger:
            rows, plan = list(ledger.rows()), ledger.plan
            soak.digests_equal &= ledger.results_digest() == digest
        found = audit(plan, rows, _logs(disturbed), reference=reference, witnessed=True)
        soak.audits.append(found)
    return soak


class _Round:
    """One sweep from start to end, through all its disturbances."""

    def __init__(
        self, scenario: Path, folder: Path, folders: Folders, soak: Soak, dice: random.Random | None
    ) -> None:
        self._command = [
            sys.executable, "-m", "orchestrator.cli", "sweep", str(scenario), "--out", str(folder),
            "--data", str(folders.data), "--codecs", str(folders.codecs),
        ]  # fmt: skip
        self._folder = folder
        self._soak = soak
        self._dice = dice
        self._killed = False
        self._stopped: list[tuple[float, psutil.Process]] = []

    def run(self) -> None:
        """Until it is complete."""
        deadline_s = time.monotonic() + ROUND_DEADLINE_S
        while True:
            resume = ["--resume"] if (self._folder / LEDGER).exists() else []
            code, printed = self._once([*self._command, *resume], deadline_s)
            if code == 0:
                return
            if not self._killed:
                last = (printed.strip().splitlines() or ["nothing printed"])[-1]
                raise AccountingError(f"{self._folder} ended with exit code {code}: {last}")

    def _once(self, command: list[str], deadline_s: float) -> tuple[int, str]:
        """One life of the orchestrator: exit code and what it printed."""
        self._killed = False
        log = self._folder.with_suffix(".log")
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            self._watch(process, deadline_s)
        finally:
            for _, stopped in self._stopped:
                with suppress(psutil.Error):
                    stopped.resume()
            self._stopped.clear()
            if process.poll() is None:
                process.kill()  # its processes follow it
                process.wait()
        return process.returncode, log.read_text(errors="replace")

    def _watch(self, process: subprocess.Popen[bytes], deadline_s: float) -> None:
        sample_at_s = time.monotonic()
        while process.poll() is None:
            now_s = time.monotonic()
            if now_s > deadline_s:
                raise AccountingError(
                    f"{self._folder} is not complete after {ROUND_DEADLINE_S:.0f} s"
                )
            for due_s, stopped in [each for each in self._stopped if each[0] <= now_s]:
                with suppress(psutil.Error):
                    stopped.resume()
                self._stopped.remove((due_s, stopped))
            if now_s >= sample_at_s:
                sample_at_s = now_s + SAMPLE_S
                self._sample(process.pid, now_s)
            if self._dice is not None and now_s >= self._soak.next_fault_s:
                self._disturb(process.pid, now_s, self._dice)
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.1)

    def _disturb(self, pid: int, now_s: float, dice: random.Random) -> None:
        """Kill or stop somebody; with nobody there yet, the next time somebody is."""
        victims = dict(sorted(_processes(pid)))
        if not victims or not (self._folder / LEDGER).exists():
            return
        peer = dice.choice(list(victims))
        kill, seconds = dice.random() < 0.5, dice.uniform(*STOPPED_S)
        self._soak.next_fault_s = now_s + dice.uniform(*FAULT_EVERY_S)
        with suppress(psutil.Error):
            if kill:
                self._killed |= peer == ORCHESTRATOR
                victims[peer].send_signal(signal.SIGKILL)
            else:
                victims[peer].suspend()
                self._stopped.append((now_s + seconds, victims[peer]))
            self._soak.faults[f"{'kill' if kill else 'stop'} {peer}"] += 1

    def _sample(self, pid: int, now_s: float) -> None:
        for peer, process in _processes(pid):
            with suppress(psutil.Error):
                rss_mib = process.memory_info().rss / 2**20
                sample = Sample(now_s, rss_mib, process.num_fds())
                self._soak.lives.setdefault((peer, process.pid), []).append(sample)


def _processes(pid: int) -> Iterator[tuple[str, psutil.Process]]:
    """The orchestrator and the processes that it started, by name."""
    with suppress(psutil.Error):
        parent = psutil.Process(pid)
        yield ORCHESTRATOR, parent
        for child in parent.children():
            with suppress(psutil.Error):
                arguments = child.cmdline()
                if "--id" in arguments:
                    yield arguments[arguments.index("--id") + 1], child


def _rows(folder: Path) -> tuple[list[FrameRow], str]:
    with open_ledger(folder) as ledger:
        return list(ledger.rows()), ledger.results_digest()


def _logs(folder: Path) -> Iterator[dict[str, Any]]:
    """Every record of every process; what a kill cut short is skipped."""
    for path in sorted((folder / "logs").glob("*.jsonl")):
        with path.open(errors="replace") as lines:
            for line in lines:
                with suppress(ValueError):
                    record = json.loads(line)
                    if isinstance(record, dict):
                        yield record
