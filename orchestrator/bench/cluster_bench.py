"""`semcom bench run cluster`: costs of parts, gain of a second worker, rate of a ledger."""

from __future__ import annotations

import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from statistics import fmean

import yaml

from orchestrator.bench.bench_sweeps import CODEC, DATASET, with_drawn_classes
from orchestrator.bench.cluster_bench_names import BYTES, FRAME_IMAGES, RECORDED, UNIT_FRAMES
from orchestrator.bench.figures import Figures, Row, Target, machine
from orchestrator.evaluation.on_cluster import run_on_cluster
from orchestrator.on_ray.units import connected
from orchestrator.plan.folders import Folders
from orchestrator.plan.plan import Plan
from orchestrator.plan.scenario import Scenario
from orchestrator.results.frame_rows import FrameRow
from orchestrator.results.ledger import Ledger
from orchestrator.results.run_folder import LEDGER, open_ledger
from semcom.children import run_module, run_program
from semcom.errors import ProcessFailedError, SemcomError

PARTS = 10
LINKS = 8
POINTS = 150
IMAGES = 1000  # of each link
TOGETHER_S = 0.05  # between records of one unit
REPEATS = 4  # of imports, before the parts and after
# A command and its evaluating process.
IMPORTS = ("orchestrator.cli.main", "orchestrator.training.evaluation_process")
SINGLE_FRAMES = 500  # frames committed one by one, as those of a slow link


def bench_cluster(rounds: int, folders: Folders) -> Figures:
    """Evaluate a plan as a whole and in parts, and with one and two Ray workers."""
    here = machine()
    with tempfile.TemporaryDirectory() as name:
        place = _Place(Path(name), folders)
        rows = [_round(place, number) for number in range(rounds)]
    return Figures(
        name="cluster",
        title="Parts, workers and the ledger",
        rounds=rows,
        targets=[
            Target(
                claim=f"parts: CPU of {PARTS} and their merge over one run, without imports",
                column="parts over whole",
                bound=1.1,
                at_least=False,
            ),
            Target(
                claim="Ray: two workers, times as fast as one",
                column="two workers over one",
                bound=1.6,
            ),
        ],
        facts={**here, "points": str(POINTS), "images": str(LINKS * IMAGES)},
    )


@dataclass
class _Place:
    """Folders of the benchmark, and the evaluated plan."""

    root: Path
    folders: Folders

    def __post_init__(self) -> None:
        codecs = with_drawn_classes(self.folders, self.root / "codecs")
        self.folders = self.folders.model_copy(update={"codecs": codecs, "runs": self.root})
        content = {
            "name": "cluster",
            "links": {
                f"edge-{number}": {"dataset": DATASET, "codec": CODEC} for number in range(LINKS)
            },
            "snr_db": [each / 5 - 10 for each in range(POINTS)],
            "images": IMAGES,
            "frame_images": FRAME_IMAGES,
        }
        self.scenario = Scenario.model_validate(content)
        self.file = self.root / "cluster.yaml"
        self.file.write_text(yaml.safe_dump(content))

    def words(self) -> list[str]:
        """Return the words that name the folders."""
        return ["--data", str(self.folders.data), "--codecs", str(self.folders.codecs)]


@dataclass
class _Rate:
    """Times at which frames were recorded."""

    recorded: list[tuple[float, int]] = field(default_factory=list)

    def progress(self, recorded: int) -> None:
        """Frames were recorded."""
        self.recorded.append((time.monotonic(), recorded))

    def encoding(self, codec: str, images: int, total: int) -> None:
        """Ignore this: workers do not report it."""

    def notice(self, text: str) -> None:
        """Ignore notices: all workers are on this machine."""

    def per_second(self, workers: int) -> float:
        """Return frames per second after every worker has delivered its first unit.

        Raises:
            SemcomError: there are too few units.
        """
        later = [*self.recorded[1:], (float("inf"), 0)]
        pairs = zip(self.recorded, later, strict=True)
        ends = [each for each, after in pairs if each[1] and after[0] - each[0] > TOGETHER_S]
        if len(ends) <= workers:
            raise SemcomError("too few units to measure a rate")
        (first_s, first), (last_s, last) = ends[workers - 1], ends[-1]
        return (last - first) / (last_s - first_s)


def _round(place: _Place, number: int) -> Row:
    folder = place.root / f"round-{number}"
    # Parts are small against imports: what both cost is measured before the parts and after.
    before = (_whole(place, folder / "w"), *_imports())
    parts = _cpu_s(partial(_evaluate_parts, place, folder))
    after = (_whole(place, folder / "again"), *_imports())
    whole, of_command, of_process = map(fmean, zip(before, after, strict=True))
    computing = whole - of_command - of_process
    in_parts = parts - (PARTS + 1) * of_command - PARTS * of_process
    one, two = (_frames_per_second(place, folder / f"{count}", count) for count in (1, 2))
    unit, single, size = _ledger(folder / "w", folder)
    return {
        "whole, CPU s": whole,
        f"{PARTS} parts and merge, CPU s": parts,
        "imports of a part, CPU s": of_command + of_process,
        "parts over whole": in_parts / computing,
        "one worker, frames/s": one,
        "two workers, frames/s": two,
        "two workers over one": two / one,
        RECORDED: unit,
        "ledger, commits/s of one frame": single,
        BYTES: size,
    }


def _whole(place: _Place, out: Path) -> float:
    """Return the CPU time of the evaluation in one piece."""
    return _cpu_s(partial(_semcom, "evaluate", place.file, *place.words(), "--out", out))


def _imports() -> tuple[float, float]:
    """Return the mean CPU time that the imports of a command and of its process take."""
    command, process = (
        fmean(_cpu_s(partial(_import, module)) for _ in range(REPEATS)) for module in IMPORTS
    )
    return command, process


def _evaluate_parts(place: _Place, folder: Path) -> None:
    for number in range(1, PARTS + 1):
        part = ("--part", f"{number}/{PARTS}", "--out", folder / "parts")
        _semcom("evaluate", place.file, *place.words(), *part)
    _semcom("merge", folder / "merged", folder / "parts")


def _semcom(*words: object) -> None:
    done = run_module("orchestrator", *words, capture_output=True, text=True)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise ProcessFailedError(last.removeprefix("error: "), done.returncode)


def _import(module: str) -> None:
    done = run_program(f"import {module}")
    if done.returncode:
        raise SemcomError(f"{module} cannot be imported: exit code {done.returncode}")


def _cpu_s(work: Callable[[], None]) -> float:
    """Return the CPU time of the processes that a function starts and waits for."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    work()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _frames_per_second(place: _Place, folder: Path, workers: int) -> float:
    rate = _Rate()

    def watcher(plan: Plan) -> _Rate:
        del plan
        return rate

    run_on_cluster(
        place.scenario,
        folder,
        folders=place.folders,
        watcher=watcher,
        cluster=partial(connected, "ray", workers=workers),
    )
    return rate.per_second(workers)


def _ledger(finished: Path, folder: Path) -> tuple[float, float, float]:
    """Return frames per second in units and one by one, and bytes per frame."""
    with open_ledger(finished) as ledger:
        rows = list(ledger.rows())
        plan, tasks = ledger.plan, ledger.tasks
    rows.sort(key=lambda row: (row.frame, row.point))  # in the order of units

    @contextmanager
    def new(name: str) -> Iterator[Ledger]:
        (folder / name).mkdir()
        made = Ledger(folder / name / LEDGER, plan, tasks=tasks)
        try:
            yield made
        finally:
            made.close()

    def per_second(ledger: Ledger, units: Sequence[Sequence[FrameRow]]) -> float:
        begun_s = time.monotonic()
        for unit in units:
            with ledger.transaction():
                ledger.record_rows(unit)
        return sum(map(len, units)) / (time.monotonic() - begun_s)

    os.sync()  # so that earlier writes are not measured
    units = [rows[at : at + UNIT_FRAMES] for at in range(0, len(rows), UNIT_FRAMES)]
    with new("units") as ledger:
        unit = per_second(ledger, units)
    with new("single") as ledger:
        single = per_second(ledger, [[row] for row in rows[:SINGLE_FRAMES]])
    return unit, single, (folder / "units" / LEDGER).stat().st_size / len(rows)
