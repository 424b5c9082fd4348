"""Architecture searches on disk, and the combined results of several seeds (Fig. 7).

Searches train classifiers, so their records hold accuracies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

import numpy as np
import numpy.typing as npt

from orchestrator.reports.markup import NOTHING, count, depths_text
from orchestrator.reports.tables import ReportTable
from orchestrator.results.run_folder import read_record
from semcom.architecture import (
    TABLE_III_DEPTHS,
    Depths,
    EncoderArchitecture,
    InputSpec,
    parameters_of,
    stage_parameters,
)
from semcom.errors import ConfigurationError
from semcom.records import SEARCH_FILE, SearchEpoch, SearchRecord

METHODS = {"kdl-darts": "KDL-DARTS", "darts": "DARTS"}


@dataclass(frozen=True)
class Spread:
    """A quantity over the epochs: epochs_E, and its mean, minimum and maximum over the seeds."""

    epochs_E: npt.NDArray[np.int64]
    mean_E: npt.NDArray[np.float64]
    low_E: npt.NDArray[np.float64]
    high_E: npt.NDArray[np.float64]


@dataclass(frozen=True)
class SearchGroup:
    """All seeds of one method on one data set."""

    dataset: str
    method: str
    records: list[SearchRecord]

    def spread(self, value: Callable[[SearchEpoch], float]) -> Spread:
        """Return a quantity over the epochs that any seed has reached."""
        by_epoch: dict[int, list[float]] = {}
        for record in self.records:
            for epoch in record.epochs:
                by_epoch.setdefault(epoch.epoch, []).append(value(epoch))
        rows = [(n, mean(found), min(found), max(found)) for n, found in sorted(by_epoch.items())]
        epochs, means, lows, highs = zip(*rows, strict=True)
        return Spread(np.array(epochs), np.array(means), np.array(lows), np.array(highs))


def read_search(folder: Path) -> SearchRecord | None:
    """Return the search in a folder; None if there is none.

    Raises:
        ConfigurationError: `search.json` is damaged.
        StorageError: it cannot be read.
    """
    return read_record(folder / SEARCH_FILE, SearchRecord)


def group_searches(records: Sequence[SearchRecord]) -> list[SearchGroup]:
    """Group the seeds of each search; data sets in the given order, KDL-DARTS before DARTS.

    Raises:
        ConfigurationError: a seed occurs twice, or searches of a group differ in more than the
            seed.
    """
    groups: dict[tuple[str, str], list[SearchRecord]] = {}
    for record in records:
        groups.setdefault((record.dataset, record.method), []).append(record)
    for (dataset, method), found in groups.items():
        seeds = [record.seed for record in found]
        for seed in seeds:
            if seeds.count(seed) > 1:
                raise ConfigurationError(
                    f"{METHODS[method]} on {dataset} occurs twice with seed {seed}"
                )
        if len({record.settings for record in found} - {None}) > 1:
            raise ConfigurationError(
                f"{METHODS[method]} on {dataset} occurs with different settings or teachers; "
                "report them separately"
            )
    datasets = list(dict.fromkeys(record.dataset for record in records))
    return [
        SearchGroup(dataset, method, sorted(groups[dataset, method], key=lambda r: r.seed))
        for dataset in datasets
        for method in METHODS
        if (dataset, method) in groups
    ]


def parameters_at_full_width(depths: Depths) -> int:
    """Return the parameters of the four stages of Table I at some depths."""
    full = EncoderArchitecture(input=InputSpec(size=224), depths=depths)
    return parameters_of(depths, stage_parameters(full))


def search_table(groups: Sequence[SearchGroup]) -> ReportTable:
    """Return selected depths and their parameters, a row per search, next to those of Table III."""
    rows: list[list[str]] = []
    for group in groups:
        published = TABLE_III_DEPTHS.get((group.method, group.dataset))
        beside = (
            [depths_text(published), count(parameters_at_full_width(published))]
            if published is not None
            else [NOTHING, NOTHING]
        )
        for record in group.records:
            found = [depths_text(record.depths), count(record.parameters)]
            accuracy = f"{100 * record.validation_accuracy:.2f}"
            name = [group.dataset, METHODS[group.method], str(record.seed)]
            rows.append([*name, *found, accuracy, *beside])
        if len(group.records) > 1:
            rows.append(_mean_row(group))
    head = [
        "data set", "search", "seed", "depths", "parameters", "validation accuracy, %",
        "depths in Table III", "their parameters",
    ]  # fmt: skip
    note = (
        "Parameters are those of the four searched stages, for Table III at full width. The "
        "accuracy is that of the supernet, with all depths mixed, on the images held out for "
        "alpha."
    )
    return ReportTable(title="Selected architectures", head=head, rows=rows, note=note)


def _mean_row(group: SearchGroup) -> list[str]:
    parameters = round(mean(record.parameters for record in group.records))
    accuracy = mean(record.validation_accuracy for record in group.records)
    name = [group.dataset, METHODS[group.method], f"mean of {len(group.records)}"]
    return [*name, "", count(parameters), f"{100 * accuracy:.2f}", "", ""]
