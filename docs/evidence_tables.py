"""Tables of docs/ that are made from small evaluations in docs/reproducing."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.plan.scenario import read_scenario
from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.curves import CountedSeries, CurvePoint, pooled_results
from orchestrator.reports.energy import energy_db, value_at
from orchestrator.reports.system_titles import titles
from orchestrator.results.run_folder import RESULTS_CSV, read_run_manifest
from semcom.checkpoints import CODECS_SHIPPED, open_checkpoint
from semcom.points import EqualizerMethod, equalizer_of
from semcom.tasks.classification import ACCURACY, Classification
from semcom.tasks.label_bound import BoundChannel, label_bound

HIGHEST_ENERGY_DB = 25.0  # after it nothing changes
BOUND_SNRS_DB = (-10.0, -5.0, 0.0, 5.0)
BOUND_SETS = ("cifar10", "cifar100", "tiny-imagenet")
BOUND_CHANNELS: tuple[BoundChannel, ...] = get_args(BoundChannel)
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
            row[str(equalizer_of(channel))] = point.printed(ACCURACY)
    head = "channel", "Es/N0 (dB)", *(f"`{name}`" for name in EQUALIZERS)
    return head, [
        [channel, f"{snr_db:g}", *(row[name] for name in EQUALIZERS)]
        for (channel, snr_db), row in cells.items()
    ]


def construction_rows() -> list[list[str]]:
    """Return how each part of the shipped CIFAR-10 codec is built, as its manifest tells it."""
    manifest = open_checkpoint(CODECS_SHIPPED / "cifar10").manifest
    told: dict[str, str] = manifest.training["construction"]
    return [list(each) for each in told.items()]


def bound_rows() -> Rows:
    """Return head and rows: the shipped codecs and their label bounds, from the evaluations."""
    rows: list[list[str]] = []
    for dataset in BOUND_SETS:
        found = pooled_results((REPRODUCING / dataset / RESULTS_CSV).read_text("utf-8"))
        curves = {series.channel: points for series, points in found.items() if _is_ours(series)}
        bound = _Bound(dataset, curves["awgn"][-1])
        for channel in BOUND_CHANNELS:
            for point in curves[channel]:
                if point.snr_db in BOUND_SNRS_DB:
                    rows.append([dataset, *_bound_cells(bound, channel, point)])
    head = "data set", "channel", "Es/N0 (dB)", "RKD-SC", "label bound", "difference"
    return head, rows


def simulated_rows() -> Rows:
    """Return head and rows: a codec, its label codec as evaluated, and the formula."""
    found = pooled_results((REPRODUCING / "label" / RESULTS_CSV).read_text("utf-8"))
    curves = {(series.system, series.channel): points for series, points in found.items()}
    bound = _Bound("cifar10", curves["rkd-sc", "awgn"][-1])
    rows: list[list[str]] = []
    for channel in BOUND_CHANNELS:
        pairs = zip(curves["rkd-sc", channel], curves["label", channel], strict=True)
        for ours, label in pairs:
            stated, snr_db, value, formula, _ = _bound_cells(bound, channel, ours)
            rows.append([stated, snr_db, value, label.printed(ACCURACY), formula])
    head = "channel", "Es/N0 (dB)", "RKD-SC", "label codec, evaluated", "label bound, formula"
    return head, rows


def energy_rows(dataset: str, channel: str) -> Rows:
    """Return head and rows: RKD-SC, and the baselines at the energy of its points."""
    folder = REPRODUCING / dataset
    facts = [
        CodecFacts.model_validate(each) for each in (read_run_manifest(folder) or {})["codecs"]
    ]
    symbols = {codec.system: codec.symbols for codec in facts}
    found = pooled_results((folder / RESULTS_CSV).read_text("utf-8"))
    curves = {
        series.system: [(energy_db(p.snr_db, symbols[series.system]), p) for p in points]
        for series, points in found.items()
        if series.channel == channel
    }
    ours, *others = (system for system in titles() if system in curves)
    rows = [
        [
            f"{energy:.1f}",
            *(value_at(curves[system], energy, ACCURACY) for system in (ours, *others)),
        ]
        for energy, _ in curves[ours]
        if energy <= HIGHEST_ENERGY_DB
    ]
    heads = (f"{titles()[system]} ({symbols[system]} symbols)" for system in (ours, *others))
    return ("energy per image over N0 (dB)", *heads), rows


def frozen_rows() -> Rows:
    """Return head and rows: RKD-SC beside a JSCC-teacher whose encoder is frozen, and what is left.

    What is left is the share of its accuracy at the highest SNR.
    """
    found = pooled_results((REPRODUCING / "frozen-teacher" / RESULTS_CSV).read_text("utf-8"))
    curves = {(series.system, series.channel): points for series, points in found.items()}
    rows: list[list[str]] = []
    for channel in BOUND_CHANNELS:
        frozen = curves["jscc-teacher", channel]
        highest = ACCURACY.value(frozen[-1].score)
        for ours, other in zip(curves["rkd-sc", channel], frozen, strict=True):
            left = 100 * ACCURACY.value(other.score) / highest
            rows.append(
                [
                    channel_title(channel), f"{ours.snr_db:g}", ours.printed(ACCURACY),
                    other.printed(ACCURACY), f"{left:.1f} %",
                ]
            )  # fmt: skip
    head = "channel", "Es/N0 (dB)", "RKD-SC", "frozen JSCC-teacher", "share of its highest"
    return head, rows


class _Bound:
    """The bound of a shipped codec, whose classifier is as good as at the cleanest point."""

    def __init__(self, codec: str, cleanest: CurvePoint) -> None:
        manifest = open_checkpoint(CODECS_SHIPPED / codec).manifest
        assert isinstance(manifest.task, Classification)
        self._classes, self._symbols = manifest.task.classes, manifest.symbols
        self._noise_free = ACCURACY.value(cleanest.score)

    def at(self, channel: BoundChannel, snr_db: float) -> float:
        """Return the bound."""
        return label_bound(
            self._noise_free, snr_db, classes=self._classes, symbols=self._symbols, channel=channel
        )


def _bound_cells(bound: _Bound, channel: BoundChannel, point: CurvePoint) -> list[str]:
    value, limit = ACCURACY.value(point.score), bound.at(channel, point.snr_db)
    return [
        channel_title(channel), f"{point.snr_db:g}", point.printed(ACCURACY),
        ACCURACY.number(limit), f"{100 * (value - limit):+.2f}",
    ]  # fmt: skip


def _is_ours(series: CountedSeries) -> bool:
    return series.system == "rkd-sc"
