"""Tables of measures that compare all items of a point at once, and so have no interval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean

from orchestrator.measures.kinds import MEASURES, Measure
from orchestrator.measures.measured_run import point_values, weights_of
from orchestrator.measures.weights import GivenWeights
from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.curves import joined
from orchestrator.reports.markup import NOTHING, count
from orchestrator.reports.tables import ReportTable
from orchestrator.results.run_folder import StoredRun

Column = tuple[str, str]  # series, channel


def point_measure_tables(runs: Sequence[StoredRun]) -> list[ReportTable]:
    """Return a table per measure: a row per SNR, a column per link, codec and channel.

    Raises:
        SemcomError: as for `orchestrator.measures.measured_run.with_measures`.
    """
    found: dict[str, dict[Column, dict[float, list[float]]]] = {}
    images: dict[str, set[int]] = defaultdict(set)
    weights: dict[str, set[str]] = defaultdict(set)
    for run in runs:
        for name, values in point_values(run).items():
            weights[name] |= set(weights_of(run, MEASURES[name]).values())
            columns = found.setdefault(name, defaultdict(lambda: defaultdict(list)))
            for point, value in zip(run.summary.points, values, strict=True):
                if value is not None:
                    called = run.labels.get(point.codec, point.codec)
                    series = joined(run.name if len(runs) > 1 else "", point.link, called)
                    columns[series, point.channel][point.snr_db].append(value)
                    images[name].add(point.images)
    return [
        _table(MEASURES[name], columns, images[name], told=_told(MEASURES[name], weights[name]))
        for name, columns in found.items()
    ]


def _told(measure: Measure, weights: set[str]) -> str:
    """Return what is said of the network that measured, by the SHA-256 of its weights."""
    if not isinstance(measure.weights, GivenWeights):
        return "It is no FID, which is defined by another network."
    digests = ", ".join(each[:12] for each in sorted(weights))
    if all(measure.weights.is_published(each) for each in weights):
        return f"Weights: {measure.weights.published}, SHA-256 {digests}..."
    return (
        f"Weights: SHA-256 {digests}..., not those of {measure.weights.published}: compare with no "
        "published FID."
    )


def _table(
    measure: Measure,
    columns: Mapping[Column, Mapping[float, Sequence[float]]],
    images: set[int],
    *,
    told: str,
) -> ReportTable:
    snrs_db = sorted({snr_db for values in columns.values() for snr_db in values})
    seeds = max(len(each) for values in columns.values() for each in values.values())
    sizes = " or ".join(count(each) for each in sorted(images))
    return ReportTable(
        title=measure.title,
        head=["Es/N0 (dB)", *(f"{s}, {channel_title(channel)}" for s, channel in columns)],
        rows=[
            [f"{snr_db:g}", *(_cell(measure, each.get(snr_db)) for each in columns.values())]
            for snr_db in snrs_db
        ],
        note=(
            f"Lower is better. Each value compares all {sizes} images of a point at once and has "
            f"no interval; the mean of {seeds} channel seed{'s' * (seeds > 1)}. It depends on the "
            f"number of images: compare it only at equal numbers. {told}"
        ),
    )


def _cell(measure: Measure, values: Sequence[float] | None) -> str:
    return f"{fmean(values):.{measure.digits}f}" if values else NOTHING
