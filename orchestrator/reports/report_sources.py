"""Sources of a report: folders of runs, evaluations, searches and footprints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from orchestrator.reports.footprints import read_footprints
from orchestrator.reports.search_history import read_search
from orchestrator.results.item_sums import with_items
from orchestrator.results.run_folder import LEDGER, StoredRun, read_run
from semcom.errors import ConfigurationError
from semcom.records import FOOTPRINT_FILE, SEARCH_FILE, FootprintRecord, SearchRecord


@dataclass(frozen=True)
class Sources:
    """All that was found; `runs` are runs and evaluations, each under a name of its own."""

    runs: list[StoredRun]
    searches: list[SearchRecord]
    footprints: list[FootprintRecord]

    @property
    def timed(self) -> list[StoredRun]:
        """Runs that went through processes."""
        return [run for run in self.runs if not run.is_evaluation]


def read_sources(
    folders: Sequence[Path],
    labels: Mapping[str, str] | None = None,
    *,
    data: Path | None = None,
) -> Sources:
    """Read everything that lies in some folders.

    `labels` are names for systems and codecs, by the names that they have. `data` is a folder of
    data sets, by whose labels answers are taken apart by item.

    Raises:
        ConfigurationError: a folder holds nothing to report, something damaged, or none are named.
        AccountingError: a ledger holds frames that were never planned.
        StorageError: a file cannot be read.
    """
    if not folders:
        raise ConfigurationError("no runs to report; name at least one run's folder")
    runs: list[StoredRun] = []
    searches: list[SearchRecord] = []
    footprints: list[FootprintRecord] = []
    for folder in folders:
        search, footprint = read_search(folder), read_footprints(folder)
        if (folder / LEDGER).exists():
            run = read_run(folder)
            runs.append(run if data is None else with_items(run, data))
        elif search is None and footprint is None:
            raise ConfigurationError(
                f"{folder} holds no run, evaluation, search or footprint "
                f"(no {LEDGER}, {SEARCH_FILE} or {FOOTPRINT_FILE})"
            )
        if search is not None:
            searches.append(search)
        if footprint is not None:
            footprints.append(footprint)
    if labels:
        _check_labels(labels, runs)
        runs = [replace(run, labels=labels) for run in runs]
    return Sources(_with_own_names(runs), searches, footprints)


def parse_labels(texts: Sequence[str]) -> dict[str, str]:
    """Return labels that are written as NAME=TEXT.

    Raises:
        ConfigurationError: one is not.
    """
    labels: dict[str, str] = {}
    for text in texts:
        name, equals, label = text.partition("=")
        if not (name and equals and label):
            raise ConfigurationError(f"--label {text}: expected NAME=TEXT, as rkd-sc=Proposed")
        labels[name] = label
    return labels


def _check_labels(labels: Mapping[str, str], runs: Sequence[StoredRun]) -> None:
    codecs = [
        codec for run in runs for link in run.summary.plan.links.values() for codec in link.codecs
    ]
    known = dict.fromkeys([*(codec.system for codec in codecs), *(codec.name for codec in codecs)])
    for name in labels:
        if name not in known:
            raise ConfigurationError(
                f"--label {name}: no system or codec of these runs; there are: {', '.join(known)}"
            )


def _with_own_names(runs: list[StoredRun]) -> list[StoredRun]:
    """Runs whose folders are called alike are numbered."""
    alike = Counter(run.name for run in runs)
    return [
        replace(run, name=f"{run.name} ({number})") if alike[run.name] > 1 else run
        for number, run in enumerate(runs, start=1)
    ]
