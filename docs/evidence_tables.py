"""Tables of docs/ that are made from small evaluations in docs/reproducing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from orchestrator.plan.scenario import read_scenario
from orchestrator.reports.curves import channel_title, pooled_results
from orchestrator.results.run_folder import RESULTS_CSV
from semcom.points import EqualizerMethod, equalizer_of
from semcom.tasks.classification import ACCURACY

REPRODUCING = Path(__file__).resolve().parent / "reproducing"
EQUALIZERS: tuple[str, ...] = get_args(EqualizerMethod)
Rows = tuple[Sequence[str], list[list[str]]]


def equalizer_rows() -> Rows:
    """Return head and rows: a row per channel and SNR, a column per equaliser."""
    folder = REPRODUCING / "equalizers"
    channels = {each.label: each for each in read_scenario(folder / "scenario.yaml").channels}
    cells: dict[tuple[str, float], dict[str, str]] = {}
    for series, points in pooled_results((folder / RESULTS_CSV).read_text("utf-8")).items():
        channel = channels[series.channel]
        for point in points:
            row = cells.setdefault((channel_title(channel.model), point.snr_db), {})
            row[str(equalizer_of(channel))] = ACCURACY.printed(point.score)
    head = "channel", "Es/N0 (dB)", *(f"`{name}`" for name in EQUALIZERS)
    return head, [
        [channel, f"{snr_db:g}", *(row[name] for name in EQUALIZERS)]
        for (channel, snr_db), row in cells.items()
    ]
