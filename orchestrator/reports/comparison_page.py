"""Sections and tables that compare systems: Fig. 6, Fig. 8, and the codecs themselves."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.plan.codec_facts import PARTS
from orchestrator.reports.comparison import (
    TITLES,
    SystemCurve,
    facts_of,
    system_curves,
)
from orchestrator.reports.curves import CurvePoint, channel_title
from orchestrator.reports.markup import NOTHING, Picture, count, figure
from orchestrator.reports.ratios import ratio_curves, ratio_tables
from orchestrator.reports.report_page import accuracy_tables
from orchestrator.reports.tables import ReportTable
from orchestrator.reports.theme import DARK, LIGHT
from orchestrator.results.run_folder import StoredRun


def systems_section(runs: Sequence[StoredRun]) -> tuple[list[str], dict[str, Picture]]:
    """Fig. 6: accuracy against SNR of all systems; nothing where no point is complete."""
    from orchestrator.reports.comparison_plots import systems_png

    curves = system_curves(runs)
    if not curves:
        return [], {}
    seeds = max(curve.seeds for curve in curves)
    pooled = f", images of {seeds} channel seeds counted together" if seeds > 1 else ""
    caption = (
        f"Classification accuracy against Es/N0 per complex symbol, by data set and channel. "
        f"Bands: 95 % Wilson intervals{pooled}."
    )
    picture = systems_png(curves, LIGHT), systems_png(curves, DARK)
    parts = ["<h2>Systems</h2>", figure("systems", picture, caption), *accuracy_tables(curves)]
    return [*parts, *(table.html() for table in codec_tables(runs))], {"systems": picture}


def ratio_section(
    runs: Sequence[StoredRun], *, snr_db: float
) -> tuple[list[str], dict[str, Picture]]:
    """Fig. 8: accuracy at one SNR against compression ratio; nothing without two ratios."""
    from orchestrator.reports.comparison_plots import ratio_png

    curves = ratio_curves(runs, snr_db=snr_db)
    if not curves:
        return [], {}
    picture: Picture = (
        ratio_png(curves, snr_db=snr_db, theme=LIGHT),
        ratio_png(curves, snr_db=snr_db, theme=DARK),
    )
    caption = (
        f"Accuracy at {snr_db:g} dB of codecs that differ in compression ratio: c of the D "
        f"numbers of a feature are sent. Bands: 95 % Wilson intervals."
    )
    parts = ["<h2>Compression ratio</h2>", figure("ratios", picture, caption)]
    return [*parts, *(table.html() for table in ratio_tables(curves, snr_db))], {"ratios": picture}


def accuracy_markdown(runs: Sequence[StoredRun]) -> list[ReportTable]:
    """A table per data set: a row per SNR, a column per codec and channel, seeds together."""
    curves = system_curves(runs)
    return [
        _accuracy_table(dataset, [curve for curve in curves if curve.dataset == dataset])
        for dataset in dict.fromkeys(curve.dataset for curve in curves)
    ]


def _number(value: float | None) -> str:
    return NOTHING if value is None else f"{value:g}"


def codec_tables(runs: Sequence[StoredRun]) -> list[ReportTable]:
    """What the compared codecs are; nothing where no manifest tells."""
    facts = facts_of(runs).values()
    if not facts:
        return []
    rows = [
        [
            codec.name, codec.dataset, TITLES.get(codec.system, codec.system),
            _number(codec.compression_ratio), _number(codec.codeword_dim), str(codec.symbols),
            *(count(codec.parameters.get(part, 0)) for part in PARTS),
            NOTHING if codec.teacher_parameters is None else count(codec.teacher_parameters),
        ]
        for codec in facts
    ]  # fmt: skip
    head = [
        "codec", "data set", "system", "compression ratio", "reals sent", "complex symbols",
        "encoder", "channel encoder", "decoder", "head", "its teacher",
    ]  # fmt: skip
    note = "The columns from encoder on count parameters."
    return [ReportTable(title="Codecs", head=head, rows=rows, note=note)]


def _accuracy_table(dataset: str, curves: Sequence[SystemCurve]) -> ReportTable:
    points = [{point.snr_db: point for point in curve.points} for curve in curves]
    seeds = max(curve.seeds for curve in curves)
    return ReportTable(
        title=f"{dataset}: accuracy, %",
        head=["Es/N0 (dB)", *(f"{c.series}, {channel_title(c.channel)}" for c in curves)],
        rows=[
            [f"{snr_db:g}", *(_cell(column.get(snr_db)) for column in points)]
            for snr_db in sorted({snr_db for column in points for snr_db in column})
        ],
        note=f"{seeds} channel seed{'s' * (seeds > 1)}; in brackets 95 % Wilson intervals.",
    )


def _cell(point: CurvePoint | None) -> str:
    return NOTHING if point is None else point.percent()
