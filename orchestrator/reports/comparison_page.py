"""Sections and tables that compare systems: Fig. 6, Fig. 8, and the codecs themselves."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.plan.codec_facts import PARTS, CodecFacts
from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.comparison import (
    SystemCurve,
    facts_of,
    labels_of,
    system_curves,
)
from orchestrator.reports.curves import metrics_of
from orchestrator.reports.energy import users_of
from orchestrator.reports.label_bounds import NOTE as BOUND_NOTE
from orchestrator.reports.label_bounds import label_bounds
from orchestrator.reports.markup import NOTHING, Picture, count, figure
from orchestrator.reports.metric_texts import heading, picture_names
from orchestrator.reports.ratios import ratio_curves, ratio_tables
from orchestrator.reports.report_page import caption, metric_tables
from orchestrator.reports.system_titles import system_title
from orchestrator.reports.tables import ReportTable
from orchestrator.reports.theme import DARK, LIGHT
from orchestrator.results.run_folder import StoredRun
from semcom.tasks.metric import Metric


def systems_section(runs: Sequence[StoredRun]) -> tuple[list[str], dict[str, Picture]]:
    """Return Fig. 6: each metric against SNR for all systems that have it.

    For runs through processes, only metrics of several systems are compared.
    """
    from orchestrator.reports.comparison_plots import drawn_channels, systems_png

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
        channels = {curve.channel for curve in curves}
        if (drawn := len(drawn_channels(curves))) < len(channels):
            text += f" {drawn} of {len(channels)} channels; tables have all."
        parts += [figure("systems", picture, text), *metric_tables(curves)]
    return [*parts, *(table.html() for table in codec_tables(runs))], pictures


def _several_have(metric: Metric, runs: Sequence[StoredRun]) -> bool:
    points = (point for run in runs for point in run.summary.points)
    return len({point.system for point in points if metric in point.task.METRICS}) > 1


def ratio_sections(
    runs: Sequence[StoredRun], *, snr_db: float
) -> tuple[list[str], dict[str, Picture]]:
    """Return Fig. 8: metrics at one SNR against compression ratio; nothing without two ratios."""
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
    """Return a table per metric and data set: a row per SNR, a column per codec and channel."""
    return [
        _metric_table(dataset, [curve for curve in curves if curve.dataset == dataset])
        for curves in (system_curves(runs, metric) for metric in metrics_of(runs))
        for dataset in dict.fromkeys(curve.dataset for curve in curves)
    ]


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:g}"


def _symbols(codec: CodecFacts) -> str:
    return f"up to {codec.symbols}" if codec.side_bits else str(codec.symbols)


def _side_information(codec: CodecFacts) -> str:
    return f"{codec.side_bits} bits per item" if codec.side_bits else NOTHING


def _bandwidth_ratio(codec: CodecFacts, users: int = 1) -> str:
    """Return k/n, channel uses per source value, of each of some users that share them."""
    return NOTHING if codec.bandwidth_ratio is None else f"{codec.bandwidth_ratio / users:.4f}"


def codec_tables(runs: Sequence[StoredRun]) -> list[ReportTable]:
    """Return what the compared codecs are; nothing where no manifest tells."""
    facts, labels, users = facts_of(runs).values(), labels_of(runs), users_of(runs)
    if not facts:
        return []
    varies = any(codec.side_bits for codec in facts)
    rows = [
        [
            codec.name, codec.dataset, system_title(codec.system, labels),
            _number(codec.compression_ratio), _number(codec.codeword_dim), _symbols(codec),
            *([_side_information(codec)] if varies else []), _bandwidth_ratio(codec),
            *([_bandwidth_ratio(codec, users.get(codec.digest, 1))] if users else []),
            *(count(codec.parameters.get(part, 0)) for part in PARTS),
            NOTHING if codec.teacher_parameters is None else count(codec.teacher_parameters),
        ]
        for codec in facts
    ]  # fmt: skip
    head = [
        "codec", "data set", "system", "compression ratio", "reals sent", "complex symbols",
        *(["side information"] if varies else []), "k/n",
        *(["k/n per image sent"] if users else []), "encoder", "channel encoder", "decoder",
        "head", "its teacher",
    ]  # fmt: skip
    note = (
        "k/n: bandwidth ratio, complex symbols per input value of the encoder. The columns "
        "from encoder on count parameters."
    )
    if users:
        note += (
            " Superposed users share the symbols of a slot: per image sent, k/n is divided by "
            "their number."
        )
    if varies:
        note += (
            " Side information: if items differ in length, the receiver gets the number of "
            "symbols of each one without errors, as from a preamble. These bits and their energy "
            "are counted neither in the symbols nor in Es/N0."
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
