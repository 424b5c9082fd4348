"""Sections of the report page: digests, metrics, latency, settings, every point."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.curves import Curve, CurvePoint, LatencyBar, metrics_of
from orchestrator.reports.markup import (
    NOTHING,
    Cell,
    Markup,
    Picture,
    count,
    digest_cell,
    figure,
    long_cell,
    table,
)
from orchestrator.reports.metric_texts import heading, interval_text, shade, value_text
from orchestrator.results.resumption import finish_hint
from orchestrator.results.run_folder import StoredRun
from orchestrator.results.summary import PointSummary
from semcom.tasks.metric import Metric


def overview(runs: Sequence[StoredRun]) -> str:
    """Return a line per run: its completeness, and the digest of its answers."""
    rows: list[list[Cell]] = []
    for run in runs:
        points, incomplete = run.summary.points, run.summary.incomplete
        rows.append(
            [
                run.name,
                "one process" if run.is_evaluation else "processes",
                f"{len(points)} of {len(points) + len(incomplete)}",
                count(sum(point.images for point in points)),
                count(sum(run.summary.plan.frames(point.link) for point in points)),
                NOTHING
                if run.is_evaluation
                else count(sum(point.retransmissions or 0 for point in points)),
                digest_cell(run.results_digest),
            ]
        )
    head = [
        "run", "made by", "points complete", "items", "frames", "retransmissions",
        "results digest",
    ]  # fmt: skip
    note = (
        '<p class="muted">Runs with equal results digests gave the same answer to every item.</p>'
        if len(runs) > 1
        else ""
    )
    return table([head], rows) + note


def warnings(runs: Sequence[StoredRun]) -> list[str]:
    """Return warnings about missing frames."""
    found: list[str] = []
    for run in runs:
        incomplete = run.summary.incomplete
        if incomplete:
            missing = sum(point.planned - point.recorded for point in incomplete)
            found.append(
                f'<p class="warn">Run {escape(run.name)} is not finished: {len(incomplete)} points '
                f"lack {missing} frames. They have no score and are not shown; "
                f"<code>{escape(finish_hint(run.folder.absolute(), run.manifest))}</code></p>"
            )
    return found


def metric_section(curves: Sequence[Curve], name: str, picture: Picture) -> list[str]:
    """Return one metric of the runs side by side."""
    metric = curves[0].metric
    parts = [f"<h2>{escape(metric.title)}</h2>", figure(name, picture, caption(curves, "Bars"))]
    return [*parts, *metric_tables(curves)]


def caption(curves: Sequence[Curve], marks: str, where: str = "") -> str:
    """Return the caption of a figure of curves; `marks` names the marks of its intervals."""
    metric, seeds = curves[0].metric, max(curve.seeds for curve in curves)
    pooled = f" over {seeds} channel seeds; each item is one draw" if seeds > 1 else ""
    return (
        f"{metric.title} against Es/N0 per complex symbol{where}; {metric.better} is better. "
        f"{marks}: 95 % intervals{pooled}."
    )


def metric_tables(curves: Sequence[Curve]) -> list[str]:
    """Return a table per data set, side by side."""
    title = heading(curves[0].metric)
    parts = ['<div class="beside">']
    for dataset in dict.fromkeys(curve.dataset for curve in curves):
        shown = [curve for curve in curves if curve.dataset == dataset]
        parts.append(f"<div><h3>{escape(f'{dataset}: {title}')}</h3>{_metric_table(shown)}</div>")
    return [*parts, "</div>"]


def _metric_table(curves: Sequence[Curve]) -> str:
    """Return a table with a row per SNR and a column per series and channel."""
    metric = curves[0].metric
    points = [{point.snr_db: point for point in curve.points} for curve in curves]
    values = [metric.value(point.score) for column in points for point in column.values()]
    rows: list[list[Cell]] = [
        [f"{snr_db:g}", *(_value(column.get(snr_db), metric, values) for column in points)]
        for snr_db in sorted({snr_db for column in points for snr_db in column})
    ]
    series = ["", *(curve.series for curve in curves)]
    channels = ["dB", *(channel_title(curve.channel) for curve in curves)]
    return table([series, channels], rows)


def _value(point: CurvePoint | None, metric: Metric, values: Sequence[float]) -> Cell:
    """Return a cell, coloured according to its value."""
    if point is None:
        return NOTHING
    share = shade(metric, metric.value(point.score), values)
    value = value_text(metric, point.score, short=True)
    interval = NOTHING.join(metric.number(end, short=True) for end in point.interval(metric))
    return Markup(
        f'<td class="share" style="--share:{share:.3f}">{value}<small>{interval}</small></td>'
    )


def latency(bars: Sequence[LatencyBar], picture: Picture) -> list[str]:
    """Return the times of frames by stage."""
    caption = (
        "Medians over all frames. The round trip starts when a frame is first sent; the "
        "part that its stages do not explain is spent in the network and in queues, which grow "
        "with the frames in flight. Encoding precedes it."
    )
    head = [
        "link", "frames", "encode", "channel", "batch wait", "decode", "network, queues",
        "round trip", "p99", "resent",
    ]  # fmt: skip
    rows: list[list[Cell]] = []
    for bar in bars:
        of_link = bar.latency
        durations_ms = (
            of_link.encode_ms, of_link.channel_ms, of_link.batch_wait_ms, of_link.decode_ms,
            of_link.network_ms, of_link.round_trip_p50_ms, of_link.round_trip_p99_ms,
        )  # fmt: skip
        rows.append(
            [
                bar.name,
                count(of_link.frames),
                *(f"{duration_ms:.2f}" for duration_ms in durations_ms),
                count(of_link.retransmissions),
            ]
        )
    return [
        "<h2>Latency</h2>",
        figure("latency", picture, caption),
        "<h3>Milliseconds per frame</h3>",
        table([head], rows),
    ]


def facts(runs: Sequence[StoredRun]) -> list[str]:
    """Return plans, settings, versions, and the digests of data sets and codecs."""
    by_run = [_facts_of(run) for run in runs]
    names = list(dict.fromkeys(name for of_run in by_run for name in of_run))
    rows: list[list[Cell]] = [
        [name, *(long_cell(of_run.get(name, NOTHING)) for of_run in by_run)] for name in names
    ]
    links: list[list[Cell]] = [
        [
            run.name, name, link.dataset, digest_cell(link.dataset_digest), count(link.images),
            codec.name, codec.system, digest_cell(codec.digest),
        ]
        for run in runs
        for name, link in run.summary.plan.links.items()
        for codec in link.codecs
    ]  # fmt: skip
    head = [
        "run", "link", "data set", "digest of items", "items", "codec", "system",
        "digest of codec",
    ]  # fmt: skip
    return [
        "<h2>What was run</h2>",
        table([["", *(run.name for run in runs)]], rows, kind="text"),
        table([head], links, kind="text"),
    ]


def _facts_of(run: StoredRun) -> dict[str, str]:
    plan = run.summary.plan
    threads = plan.threads
    found = {
        "plan digest": plan.digest,
        "results digest": run.results_digest,
        "decoding": plan.decoding,
        "items per frame": str(plan.frame_images),
        "engine": plan.engine,
        "receiver engine": plan.receiver_engine,
        "threads": f"{threads.transmitter} per transmitter, {threads.receiver} per receiver",
        "channels": ", ".join(dict.fromkeys(p.spec.label for p in plan.points)),
        "seeds": ", ".join(dict.fromkeys(str(p.spec.seed) for p in plan.points)),
    }
    left_out = {"run", "plan_digest", "results_digest", "versions"}
    for key, value in run.manifest.items():
        if key not in left_out and isinstance(value, str | int | float):
            found[key.replace("_", " ")] = str(value)
    versions: Any = run.manifest.get("versions")
    if isinstance(versions, dict):
        found["versions"] = ", ".join(f"{name} {found}" for name, found in versions.items())
    return found


def every_point(runs: Sequence[StoredRun]) -> list[str]:
    """Return all points of all runs, folded."""
    metrics = metrics_of(runs)
    head = [
        "run", "link", "codec", "channel", "dB", "seed", "items",
        *(text for metric in metrics for text in (heading(metric), "95 % interval")),
        "round trip, ms", "p99, ms", "resent",
    ]  # fmt: skip
    rows: list[list[Cell]] = [
        [
            run.name, point.link, point.codec, point.channel, f"{point.snr_db:g}",
            str(point.seed), count(point.images),
            *(text for metric in metrics for text in _value_and_interval(point, metric)),
            _milliseconds(point.round_trip_p50_ms), _milliseconds(point.round_trip_p99_ms),
            NOTHING if point.retransmissions is None else count(point.retransmissions),
        ]
        for run in runs
        for point in run.summary.points
    ]  # fmt: skip
    title = f"<summary>Every point ({len(rows)})</summary>"
    return ["<details>", title, table([head], rows), "</details>"] if rows else []


def _value_and_interval(point: PointSummary, metric: Metric) -> tuple[str, str]:
    if metric not in point.task.METRICS:
        return NOTHING, NOTHING
    return value_text(metric, point.score), interval_text(metric, point.score)


def _milliseconds(value: float | None) -> str:
    return NOTHING if value is None else f"{value:.2f}"
