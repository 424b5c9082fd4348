"""Sections with the evidence of a comparison: energy, bounds, paired answers, spreads."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.reports.comparison import SystemCurve, system_curves
from orchestrator.reports.curves import metrics_of
from orchestrator.reports.energy import (
    ENERGY,
    ENERGY_SHARED,
    energy_curves,
    energy_tables,
    equal_symbols_tables,
    users_of,
)
from orchestrator.reports.label_bounds import bound_tables, label_bounds
from orchestrator.reports.markup import Picture, figure
from orchestrator.reports.metric_texts import picture_names
from orchestrator.reports.paired import paired_tables
from orchestrator.reports.spreads import spread_tables
from orchestrator.reports.tables import ReportTable
from orchestrator.reports.theme import DARK, LIGHT
from orchestrator.results.run_folder import StoredRun
from semcom.tasks.metric import Metric
from semcom.tasks.ordered_classification import MEAN_SYMBOLS

SHARED = ", which U superposed users share (K / U)"


def energy_sections(runs: Sequence[StoredRun]) -> tuple[list[str], dict[str, Picture]]:
    """Return metrics against energy per item and at equal symbols; nothing if all are equal."""
    from orchestrator.reports.comparison_plots import systems_png

    curves = {metric: system_curves(runs, metric) for metric in _judged(runs)}
    by_energy = {metric: energy_curves(found, runs) for metric, found in curves.items()}
    names = picture_names([metric for metric, found in by_energy.items() if found], "energy")
    parts = ["<h2>Energy and symbols</h2>"] if names else []
    pictures: dict[str, Picture] = {}
    for metric, name in names.items():
        shown = by_energy[metric]
        shared = bool(users_of(runs))
        label = ENERGY_SHARED if shared else ENERGY
        light, dark = (systems_png(shown, theme, x_label=label) for theme in (LIGHT, DARK))
        pictures[name] = light, dark
        text = (
            f"{metric.title} against the energy of an item over the noise density, "
            f"Es/N0 + 10 log10 K with K symbols{SHARED * shared}; {metric.better} is better. "
            "Bands: 95 % intervals."
        )
        parts.append(figure("energy", pictures[name], text))
        parts += [table.html() for table in _symbol_tables(curves[metric], shown, runs)]
    return parts, pictures


def evidence_section(runs: Sequence[StoredRun]) -> list[str]:
    """Return bounds, pairs and spreads of all metrics as a section, folded if it is long."""
    parts: list[str] = []
    for metric in _judged(runs):
        curves = system_curves(runs, metric)
        parts += [table.html() for table in bound_tables(label_bounds(curves, runs))]
        for title, tables in (
            ("Paired by item", paired_tables(runs, metric)),
            ("Spreads", spread_tables(curves, runs)),
        ):
            if tables:
                shown = [table.html() for table in tables]
                parts += ["<details>", f"<summary>{title}</summary>", *shown, "</details>"]
    return ["<h2>Evidence</h2>", *parts] if parts else []


def evidence_tables(runs: Sequence[StoredRun]) -> list[ReportTable]:
    """Return all of these tables, for Markdown."""
    tables: list[ReportTable] = []
    for metric in _judged(runs):
        curves = system_curves(runs, metric)
        tables += _symbol_tables(curves, energy_curves(curves, runs), runs)
        tables += bound_tables(label_bounds(curves, runs))
        tables += paired_tables(runs, metric)
        tables += spread_tables(curves, runs)
    return tables


def _judged(runs: Sequence[StoredRun]) -> list[Metric]:
    """Return the metrics of what was answered; how much was sent is not one of them."""
    return [metric for metric in metrics_of(runs) if metric != MEAN_SYMBOLS]


def _symbol_tables(
    curves: Sequence[SystemCurve], by_energy: Sequence[SystemCurve], runs: Sequence[StoredRun]
) -> list[ReportTable]:
    return [*energy_tables(by_energy), *equal_symbols_tables(curves, runs)]
