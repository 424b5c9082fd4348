"""Tables of the digital baselines, from docs/reproducing/digital and digital-sentences."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.curves import pooled_results
from orchestrator.reports.image_bound import table_rows
from orchestrator.results.run_folder import RESULTS_CSV
from semcom.tasks.text import BLEU_1

REPRODUCING = Path(__file__).resolve().parent / "reproducing"
BOUND = REPRODUCING / "digital" / "bound.csv"
Rows = tuple[list[str], list[list[str]]]


def image_bound_rows() -> Rows:
    """Return head and rows: image formats at capacity, PSNR in dB."""
    return table_rows(csv.DictReader(io.StringIO(BOUND.read_text("utf-8"))))


def digital_sentence_rows() -> Rows:
    """Return head and rows: BLEU-1 of the source codes, a row per channel and SNR."""
    found = pooled_results((REPRODUCING / "digital-sentences" / RESULTS_CSV).read_text("utf-8"))
    systems: list[str] = []
    cells: dict[tuple[str, float], dict[str, str]] = {}
    for series, points in found.items():
        if series.system not in systems:
            systems.append(series.system)
        for point in points:
            row = cells.setdefault((channel_title(series.channel), point.snr_db), {})
            row[series.system] = point.printed(BLEU_1)
    head = ["channel", "Es/N0 (dB)", *(f"`{name.removeprefix('digital-')}`" for name in systems)]
    return head, [
        [channel, f"{snr_db:g}", *(row[name] for name in systems)]
        for (channel, snr_db), row in cells.items()
    ]
