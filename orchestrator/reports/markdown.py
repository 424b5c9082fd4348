"""A run's accuracies as a Markdown table, for README and docs: copied, never typed."""

from __future__ import annotations

from orchestrator.results.summary import PointSummary, Summary


def markdown_table(summary: Summary) -> str:
    """Accuracy in percent with its 95 % interval: a row per SNR, a column per series.

    Series are the links, codecs, channels and seeds of the run; incomplete points stay empty.
    """
    rows: dict[float, dict[str, str]] = {}
    names: dict[str, None] = {}
    for point in summary.points:
        name = _series(summary, point)
        names[name] = None
        low, high = 100 * point.ci95_low, 100 * point.ci95_high
        cell = f"{100 * point.accuracy:.2f} ({low:.2f} to {high:.2f})"
        rows.setdefault(point.snr_db, {})[name] = cell
    lines = [["Es/N0 (dB)", *names], ["---:"] * (1 + len(names))]
    lines += [[f"{snr_db:g}", *(rows[snr_db].get(n, "") for n in names)] for snr_db in sorted(rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _series(summary: Summary, point: PointSummary) -> str:
    parts = [point.link, point.channel]
    if len(summary.plan.links[point.link].codecs) > 1:
        parts.insert(1, point.codec)
    if len({planned.spec.seed for planned in summary.plan.points}) > 1:
        parts.append(f"seed {point.seed}")
    return ", ".join(parts)
