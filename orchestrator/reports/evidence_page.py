"""Sections that say what a comparison is worth: energy, bounds, pairs of answers, spreads."""

from __future__ import annotations

from collections.abc import Sequence

from orchestrator.reports.comparison import SystemCurve, system_curves
from orchestrator.reports.curves import metrics_of
from orchestrator.reports.energy import (
    ENERGY,
    energy_curves,
    energy_tables,
    equal_symbols_tables,
)
from orchestrator.reports.label_bounds import bound_tables, label_bounds
from orchestrator.reports.markup import Picture, figure
from orchestrator.reports.metric_texts import picture_names
from orchestrator.reports.paired import paired_tables
from orchestrator.reports.spreads import spread_tables
from orchestrator.reports.tables import ReportTable
from orchestrator.reports.theme import DARK, LIGHT
from orchestrator.results.run_folder import StoredRun


def energy_sections(runs: Sequence[StoredRun]) -> tuple[list[str], dict[str, Picture]]:
    """Each metric against energy per item, and at equal symbols; nothing where all send as many."""
    from orchestrator.reports.comparison_plots import systems_png

    curves = {metric: system_curves(runs, metric) for metric in metrics_of(runs)}
    by_energy = {metric: energy_curves(found, runs) for metric, found in curves.items()}
    names = picture_names([metric for metric, found in by_energy.items() if found], "energy")
    parts = ["<h2>Energy and symbols</h2>"] if names else []
    pictures: dict[str, Picture] = {}
    for metric, name in names.items():
        shown = by_energy[metric]
        light, dark = (systems_png(shown, theme, x_label=ENERGY) for theme in (LIGHT, DARK))
        pictures[name] = light, dark
        text = (
            f"{metric.title} against the energy of an item over the noise density, "
            f"Es/N0 + 10 log10 K with K symbols; {metric.better} is better. Bands: 95 % intervals."
        )
        parts.append(figure("energy", pictures[name], text))
        parts += [table.html() for table in _symbol_tables(curves[metric], shown, runs)]
    return parts, pictures


def evidence_section(runs: Sequence[StoredRun]) -> list[str]:
    """Bounds, pairs and spreads of all metrics as a part of the page, folded where it is long."""
    parts: list[str] = []
    for metric in metrics_of(runs):
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
    for metric in metrics_of(runs):
        curves = system_curves(runs, metric)
        tables += _symbol_tables(curves, energy_curves(curves, runs), runs)
        tables += bound_tables(label_bounds(curves, runs))
        tables += paired_tables(runs, metric)
        tables += spread_tables(curves, runs)
    return tables


def _symbol_tables(
    curves: Sequence[SystemCurve], by_energy: Sequence[SystemCurve], runs: Sequence[StoredRun]
) -> list[ReportTable]:
    return [*energy_tables(by_energy), *equal_symbols_tables(curves, runs)]
