"""The table of docs/reproducing.md on what each change of stage 2 is worth."""

from __future__ import annotations

from docs.evidence_tables import REPRODUCING, Rows
from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.curves import pooled_results
from orchestrator.results.run_folder import RESULTS_CSV
from semcom.tasks.classification import ACCURACY

SNRS_DB = (-10.0, 0.0, 25.0)
CHANNELS = ("awgn", "rayleigh")


def stage2_rows() -> Rows:
    """Return head and rows: a row per codec, a column per channel and SNR."""
    found = pooled_results((REPRODUCING / "stage2" / RESULTS_CSV).read_text("utf-8"))
    cells: dict[str, dict[tuple[str, float], str]] = {}
    for series, points in found.items():
        row = cells.setdefault(series.codec, {})
        row |= {(series.channel, point.snr_db): point.printed(ACCURACY) for point in points}
    columns = [(channel, snr_db) for channel in CHANNELS for snr_db in SNRS_DB]
    heads = (f"{channel_title(channel)}, {snr_db:g} dB" for channel, snr_db in columns)
    return ("codec", *heads), [
        [f"`{codec}`", *(row[column] for column in columns)] for codec, row in cells.items()
    ]
