"""The table of docs/ on codewords of several lengths, from an evaluation in docs/reproducing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from orchestrator.plan.rates import rates_of
from orchestrator.plan.scenario import read_scenario
from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.curves import pooled_results
from orchestrator.results.run_folder import RESULTS_CSV
from semcom.increments import Rate
from semcom.tasks.classification import ACCURACY
from semcom.tasks.ordered_classification import MEAN_SYMBOLS
from semcom.tasks.score import Score

FOLDER = Path(__file__).resolve().parent / "reproducing" / "cifar10-rates"


def rate_rows() -> tuple[Sequence[str], list[list[str]]]:
    """Return head and rows: a row per channel and SNR, a column per rate."""
    rates = [rate for rate in rates_of(read_scenario(FOLDER / "scenario.yaml").increments) if rate]
    cells: dict[tuple[str, float], dict[str, Score]] = {}
    for series, points in pooled_results((FOLDER / RESULTS_CSV).read_text("utf-8")).items():
        model, _, rate = series.channel.partition(" ")
        for point in points:
            cells.setdefault((model, point.snr_db), {})[rate] = point.score
    rows = [
        [channel_title(model), f"{snr_db:g}", *(_cell(rate, found[rate.label]) for rate in rates)]
        for (model, snr_db), found in cells.items()
    ]
    first = next(iter(cells.values()))
    head = "channel", "Es/N0 (dB)", *(_head(rate, first[rate.label]) for rate in rates)
    return head, rows


def _head(rate: Rate, score: Score) -> str:
    if rate.confidence is not None:
        return f"until {rate.confidence:g}"
    return f"{MEAN_SYMBOLS.value(score):g} symbols"


def _cell(rate: Rate, score: Score) -> str:
    accuracy = f"{ACCURACY.number(ACCURACY.value(score), short=True)} %"
    if rate.confidence is None:
        return accuracy
    return f"{accuracy} at {MEAN_SYMBOLS.number(MEAN_SYMBOLS.value(score))}"
