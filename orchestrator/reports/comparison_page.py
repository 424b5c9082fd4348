"""Sections and tables that compare systems: Fig. 6, Fig. 8, and the codecs themselves."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.plan.codec_facts import PARTS, CodecFacts
from orchestrator.reports.comparison import (
    SystemCurve,
    facts_of,
    labels_of,
    system_curves,
    system_title,
)
from orchestrator.reports.curves import channel_title, metrics_of
from orchestrator.reports.label_bounds import NOTE as BOUND_NOTE
from orchestrator.reports.label_bounds import label_bounds
from orchestrator.reports.markup import NOTHING, Picture, count, figure
from orchestrator.reports.metric_texts import heading, picture_names
from orchestrator.reports.ratios import ratio_curves, ratio_tables
from orchestrator.reports.report_page import caption, metric_tables
from orchestrator.reports.tables import ReportTable
from orchestrator.reports.theme import DARK, LIGHT
from orchestrator.results.run_folder import StoredRun
from semcom.tasks.metric import Metric


def systems_section(runs: Sequence[StoredRun]) -> tuple[list[str], dict[str, Picture]]:
    """Fig. 6: each metric against SNR of all systems that have it.

    Of runs through processes only what several systems have is compared.
    """
    from orchestrator.reports.comparison_plots import systems_png

    compared = any(run.is_evaluation for run in runs)
    metrics = [metric for metric in metrics_of(runs) if compared or _several_have(metric, runs)]
    names = picture_names(metrics, "systems")
    if not names:
        return [], {}
    parts = ["<h2>Systems</h2>"]
    pictures: dict[str, Picture] = {}
    for metric, name in names.items():
        curves = system_curves(runs, metric)
        bounds = label_bounds(curves, runs)
        light, dark = (systems_png(curves, theme, bounds=bounds) for theme in (LIGHT, DARK))
        picture = pictures[name] = light, dark
        text = caption(curves, "Bands", ", by data set and channel")
        if bounds:
            text += f" Dotted: the label bound of the codec of that colour. {BOUND_NOTE}"
        parts += [figure("systems", picture, text), *metric_tables(curves)]
    return [*parts, *(table.html() for table in codec_tables(runs))], pictures


def _several_have(metric: Metric, runs: Sequence[StoredRun]) -> bool:
    points = (point for run in runs for point in run.summary.points)
    return len({point.system for point in points if metric in point.task.METRICS}) > 1


def ratio_sections(
    runs: Sequence[StoredRun], *, snr_db: float
) -> tuple[list[str], dict[str, Picture]]:
    """Fig. 8: each metric at one SNR against compression ratio; nothing without two ratios."""
    from orchestrator.reports.comparison_plots import ratio_png

    found = {metric: ratio_curves(runs, metric, snr_db=snr_db) for metric in metrics_of(runs)}
    names = picture_names([metric for metric, curves in found.items() if curves], "ratios")
    if not names:
        return [], {}
    parts = ["<h2>Compression ratio</h2>"]
    pictures: dict[str, Picture] = {}
    for metric, name in names.items():
        light, dark = (
            ratio_png(found[metric], snr_db=snr_db, theme=theme) for theme in (LIGHT, DARK)
        )
        pictures[name] = light, dark
        text = (
            f"{metric.title} at {snr_db:g} dB of codecs that differ in compression ratio: c of the "
            f"D numbers of a feature are sent; {metric.better} is better. Bands: 95 % intervals."
        )
        parts += [figure("ratios", pictures[name], text)]
        parts += [table.html() for table in ratio_tables(found[metric], snr_db)]
    return parts, pictures


def metric_markdown(runs: Sequence[StoredRun]) -> list[ReportTable]:
    """A table per metric and data set: a row per SNR, a column per codec and channel."""
    return [
        _metric_table(dataset, [curve for curve in curves if curve.dataset == dataset])
        for curves in (system_curves(runs, metric) for metric in metrics_of(runs))
        for dataset in dict.fromkeys(curve.dataset for curve in curves)
    ]


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:g}"


def _bandwidth_ratio(codec: CodecFacts) -> str:
    """Return k/n, channel uses per source value."""
    return NOTHING if codec.bandwidth_ratio is None else f"{codec.bandwidth_ratio:.4f}"


def codec_tables(runs: Sequence[StoredRun]) -> list[ReportTable]:
    """Return what the compared codecs are; nothing where no manifest tells."""
    facts, labels = facts_of(runs).values(), labels_of(runs)
    if not facts:
        return []
    rows = [
        [
            codec.name, codec.dataset, system_title(codec.system, labels),
            _number(codec.compression_ratio), _number(codec.codeword_dim), str(codec.symbols),
            _bandwidth_ratio(codec),
            *(count(codec.parameters.get(part, 0)) for part in PARTS),
            NOTHING if codec.teacher_parameters is None else count(codec.teacher_parameters),
        ]
        for codec in facts
    ]  # fmt: skip
    head = [
        "codec", "data set", "system", "compression ratio", "reals sent", "complex symbols", "k/n",
        "encoder", "channel encoder", "decoder", "head", "its teacher",
    ]  # fmt: skip
    note = (
        "k/n: bandwidth ratio, complex symbols per number of the image that the encoder sees. The "
        "columns from encoder on count parameters."
    )
    return [ReportTable(title="Codecs", head=head, rows=rows, note=note)]


def _metric_table(dataset: str, curves: Sequence[SystemCurve]) -> ReportTable:
    columns = [curve.cells for curve in curves]
    seeds = max(curve.seeds for curve in curves)
    return ReportTable(
        title=f"{dataset}: {heading(curves[0].metric)}",
        head=["Es/N0 (dB)", *(f"{c.series}, {channel_title(c.channel)}" for c in curves)],
        rows=[
            [f"{snr_db:g}", *(column.get(snr_db, NOTHING) for column in columns)]
            for snr_db in sorted({snr_db for column in columns for snr_db in column})
        ],
        note=f"{seeds} channel seed{'s' * (seeds > 1)}; in brackets 95 % intervals.",
    )
