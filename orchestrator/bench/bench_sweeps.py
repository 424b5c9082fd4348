"""Sweeps for benchmarks: the shipped processes on synthetic images, measured while they run."""

from __future__ import annotations

import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from orchestrator.datasets.prepare import ensure
from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario
from orchestrator.results.frame_rows import FrameRow
from orchestrator.results.run_folder import open_ledger
from orchestrator.sweep.run import RunOptions, run_sweep
from semcom.checkpoints import name_classes, open_checkpoint
from semcom.errors import SemcomError
from semcom.statistics import percentile

DATASET, CODEC = (
    "shapes10",
    "cifar10",
)  # the synthetic images have the size and number of classes of CIFAR-10
MIDDLE = (0.25, 0.9)  # range of frames in which all links are busy and none has finished
SAMPLE_S = 0.2


@dataclass
class WatchedSweep:
    """Times of recorded frames, and peak memory of the processes."""

    frame_images: int
    recorded: list[tuple[float, int]] = field(default_factory=list)
    rows: list[FrameRow] = field(default_factory=list)
    peak_mib: dict[str, float] = field(default_factory=dict)

    def progress(self, recorded: int) -> None:
        """Frames were recorded."""
        self.recorded.append((time.monotonic(), recorded))

    def notice(self, text: str) -> None:
        """Ignore notices: all processes are on one host."""

    def waiting(self, roles: list[str]) -> None:
        """Ignore missing processes: the first frames wait for all."""

    @property
    def images_per_second(self) -> float:
        """Return the rate of all links together, in the middle of the sweep."""
        total = self.recorded[-1][1]
        middle = [each for each in self.recorded if MIDDLE[0] <= each[1] / total <= MIDDLE[1]]
        if len(middle) < 2:
            raise SemcomError("too few frames to measure a rate")
        (first_s, first), (last_s, last) = middle[0], middle[-1]
        return (last - first) * self.frame_images / (last_s - first_s)

    def round_trip_ms(self, percent: float) -> float:
        """Return a percentile of the round trips."""
        return percentile([row.round_trip_ms for row in self.rows], percent)


def scenario_of(name: str, *, links: int = 1, **settings: Any) -> Scenario:
    """Return a scenario of links with the same codec; every image is encoded at every point."""
    content = {
        "name": name,
        "links": {
            f"edge-{number}": {"dataset": DATASET, "codec": CODEC} for number in range(1, links + 1)
        },
        "snr_db": [5.0],
        "encode_once": False,
        **settings,
    }
    return Scenario.model_validate(content)


def swept(scenario: Scenario, folders: Folders) -> WatchedSweep:
    """Run a sweep with its own processes; return the measurements.

    Raises:
        SemcomError: it fails.
    """
    watched = WatchedSweep(scenario.frame_images)

    def watcher(plan: Plan) -> WatchedSweep:
        del plan
        return watched

    with tempfile.TemporaryDirectory() as name, weighed(watched.peak_mib):
        folder = Path(name) / scenario.name
        options = RunOptions(report=None)
        codecs = with_drawn_classes(folders, Path(name) / "codecs")
        renamed = folders.model_copy(update={"codecs": codecs})
        run_sweep(scenario, folder, folders=renamed, watcher=watcher, options=options)
        with open_ledger(folder) as ledger:
            watched.rows = list(ledger.rows())
    return watched


def with_drawn_classes(folders: Folders, root: Path) -> Path:
    """Copy the codec to `root` and rename its classes to those of the synthetic set.

    A plan refuses a codec whose classes differ from those of the data set. Here only the computing
    time matters.
    """
    classes = ensure(DATASET, folders.data / DATASET).classes
    copied = shutil.copytree(folders.codecs / CODEC, root / CODEC)
    name_classes(open_checkpoint(copied), classes)
    return root


@contextmanager
def weighed(peak_mib: dict[str, float]) -> Iterator[None]:
    """Record the memory of this process's children by name during the block."""
    over = threading.Event()

    def weigh() -> None:
        while not over.wait(SAMPLE_S):
            for child in psutil.Process().children():
                try:
                    words = child.cmdline()
                    name = words[words.index("--id") + 1]
                    rss_mib = child.memory_info().rss / 2**20
                except (psutil.Error, ValueError):
                    continue
                peak_mib[name] = max(rss_mib, peak_mib.get(name, 0.0))

    thread = threading.Thread(target=weigh, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
