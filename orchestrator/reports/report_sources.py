"""Sources of a report: folders of runs, evaluations, searches and footprints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from orchestrator.measures.measured_run import with_measures
from orchestrator.reports.channel_titles import names_of_channel
from orchestrator.reports.footprints import read_footprints
from orchestrator.reports.search_history import read_search
from orchestrator.results.item_sums import with_items
from orchestrator.results.run_folder import LEDGER, StoredRun, read_run
from semcom.errors import ConfigurationError
from semcom.records import FOOTPRINT_FILE, SEARCH_FILE, FootprintRecord, SearchRecord


@dataclass(frozen=True)
class Sources:
    """The sources found.

    `runs` are runs and evaluations with unique names; `labels` are display names chosen by the
    user.
    """

    runs: list[StoredRun]
    searches: list[SearchRecord]
    footprints: list[FootprintRecord]
    labels: Mapping[str, str] = field(default_factory=dict)

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
    """Read all sources in some folders.

    `labels` are display names of systems, codecs and channels by their original names. `data` is a
    folder of data sets, whose labels allow comparisons by item.

    Raises:
        ConfigurationError: a folder contains nothing to report or is damaged, or none are named.
        AccountingError: a ledger has frames that were never planned.
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
            run = with_measures(read_run(folder))
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
        labels = _known_labels(labels, runs)
        runs = [replace(run, labels=labels) for run in runs]
    return Sources(_with_own_names(runs), searches, footprints, labels or {})


def parse_labels(texts: Sequence[str]) -> dict[str, str]:
    """Return labels given as NAME=TEXT.

    Raises:
        ConfigurationError: one has another form.
    """
    labels: dict[str, str] = {}
    for text in texts:
        name, equals, label = text.partition("=")
        if not (name and equals and label):
            raise ConfigurationError(f"--label {text}: expected NAME=TEXT, such as rkd-sc=Proposed")
        labels[name] = label
    return labels


def _known_labels(labels: Mapping[str, str], runs: Sequence[StoredRun]) -> dict[str, str]:
    """Return labels of names that occur; of `rician k=4=Text`, the longest such name counts."""
    plans = [run.summary.plan for run in runs]
    codecs = [codec for plan in plans for link in plan.links.values() for codec in link.codecs]
    channels = dict.fromkeys(point.spec.label for plan in plans for point in plan.points)
    shown = dict.fromkeys(
        [*(codec.system for codec in codecs), *(codec.name for codec in codecs), *channels]
    )
    known = {*shown, *(name for label in channels for name in names_of_channel(label))}
    found: dict[str, str] = {}
    for name, text in labels.items():
        words = f"{name}={text}".split("=")
        splits = ["=".join(words[:at]) for at in range(len(words) - 1, 0, -1)]
        meant = name if name in known else next((each for each in splits if each in known), None)
        if meant is None:
            raise ConfigurationError(
                f"--label {name}: no system, codec or channel of these runs; available: "
                f"{', '.join(shown)}"
            )
        found[meant] = f"{name}={text}".removeprefix(f"{meant}=")
    return found


def _with_own_names(runs: list[StoredRun]) -> list[StoredRun]:
    """Return runs, numbered if their folders have the same name."""
    alike = Counter(run.name for run in runs)
    return [
        replace(run, name=f"{run.name} ({number})") if alike[run.name] > 1 else run
        for number, run in enumerate(runs, start=1)
    ]
