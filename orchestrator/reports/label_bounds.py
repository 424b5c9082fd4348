"""Label bounds of curves: the accuracy of each codec if it sent the class over its symbols.

The classifier's accuracy is that of the codec at the highest SNR over AWGN, if that is at least 20
dB, because it refers to the same images. Otherwise it is the noise-free accuracy in its manifest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.comparison import SystemCurve, facts_of
from orchestrator.reports.curves import CurvePoint, at_rate
from orchestrator.reports.energy import symbols_of
from orchestrator.reports.markup import NOTHING
from orchestrator.reports.metric_texts import heading
from orchestrator.reports.tables import ReportTable
from orchestrator.results.run_folder import StoredRun
from semcom.points import AnyChannel
from semcom.tasks.classification import ACCURACY
from semcom.tasks.label_bound import BoundChannel, bound_channel, label_bound

LABEL_SYSTEM = "label"  # sends the class itself
NOISELESS_DB = 20.0
STEP_DB = 1.0  # of what is drawn
NOTE = (
    "Label bound: accuracy if the codec classified at the transmitter, as it does without "
    "noise, and sent the class with a simplex code over the same symbols, decoded by maximum "
    "likelihood."
)


@dataclass(frozen=True, kw_only=True)
class LabelBound:
    """The bound of one codec over one channel.

    `curve` is the codec's own; `accuracy` is that of its classifier.
    """

    curve: SystemCurve
    over: BoundChannel
    accuracy: float
    classes: int
    symbols: int

    @property
    def dataset(self) -> str:
        """Of the codec."""
        return self.curve.dataset

    @property
    def channel(self) -> str:
        """Label of the channel."""
        return self.curve.channel

    @property
    def system(self) -> str:
        """Of the codec."""
        return self.curve.system

    @property
    def rank(self) -> int:
        """Of the codec within its system."""
        return self.curve.rank

    def at(self, snr_db: float) -> float:
        """Return the bound at an Es/N0, 0..1."""
        return label_bound(
            self.accuracy, snr_db, classes=self.classes, symbols=self.symbols, channel=self.over
        )

    @property
    def drawn(self) -> tuple[list[float], list[float]]:
        """Return Es/N0 in dB and the bound in percent, dense enough for a line."""
        first, last = self.curve.points[0].snr_db, self.curve.points[-1].snr_db
        count = max(2, 1 + round((last - first) / STEP_DB))
        snrs_db = [float(each) for each in np.linspace(first, last, count)]
        return snrs_db, [100.0 * self.at(snr_db) for snr_db in snrs_db]


def label_bounds(curves: Sequence[SystemCurve], runs: Sequence[StoredRun]) -> list[LabelBound]:
    """Return the bounds of curves of classification, as far as they are known.

    None is known for a codec without a manifest, or for channels other than AWGN and Rayleigh
    fading with perfect channel state.
    """
    facts, channels = facts_of(runs), channels_of(runs)
    noiseless = {
        curve.digest: curve.points[-1]
        for curve in curves
        if curve.points and curve.points[-1].snr_db >= NOISELESS_DB
        if (channel := channels.get(curve.channel)) and bound_channel(channel) == "awgn"
    }
    return [
        bound
        for curve in curves
        if (bound := _bound_of(curve, facts, channels, noiseless)) is not None
    ]


def channels_of(runs: Sequence[StoredRun]) -> dict[str, AnyChannel]:
    """Return the channels of all points without interference, by their labels."""
    return {
        at_rate("", point.spec.label, point.spec.rate)[1]: point.spec.channel
        for run in runs
        for point in run.summary.plan.points
        if point.spec.interference is None
    }


def _bound_of(
    curve: SystemCurve,
    facts: Mapping[str, CodecFacts],
    channels: Mapping[str, AnyChannel],
    noiseless: Mapping[str, CurvePoint],
) -> LabelBound | None:
    codec, channel = facts.get(curve.digest), channels.get(curve.channel)
    if curve.metric != ACCURACY or curve.system == LABEL_SYSTEM or not curve.points:
        return None
    if codec is None or codec.classes is None or channel is None:
        return None
    symbols = symbols_of(curve, codec)
    if symbols is None:  # as many as it takes: there is no one bound
        return None
    over, point = bound_channel(channel), noiseless.get(curve.digest)
    accuracy = codec.noise_free if point is None else ACCURACY.value(point.score)
    if over is None or accuracy is None or not 0.0 <= accuracy <= 1.0:
        return None
    return LabelBound(
        curve=curve, over=over, accuracy=accuracy, classes=codec.classes, symbols=round(symbols)
    )


def bound_tables(bounds: Sequence[LabelBound]) -> list[ReportTable]:
    """Return a table per data set: each curve, its bound, and the distance between them."""
    tables: list[ReportTable] = []
    for dataset in dict.fromkeys(bound.dataset for bound in bounds):
        shown = [bound for bound in bounds if bound.dataset == dataset]
        points = [{point.snr_db: point for point in bound.curve.points} for bound in shown]
        head = ["Es/N0 (dB)"]
        for bound in shown:
            named = f"{bound.curve.series}, {channel_title(bound.channel)}"
            head += [named, "label bound", "difference"]
        rows = [
            [
                f"{snr_db:g}",
                *(
                    cell
                    for bound, column in zip(shown, points, strict=True)
                    for cell in _cells(bound, column, snr_db)
                ),
            ]
            for snr_db in sorted({snr_db for column in points for snr_db in column})
        ]
        title = f"{dataset}: {heading(ACCURACY)} and label bound"
        tables.append(ReportTable(title=title, head=head, rows=rows, note=NOTE))
    return tables


def _cells(bound: LabelBound, points: Mapping[float, CurvePoint], snr_db: float) -> list[str]:
    point = points.get(snr_db)
    if point is None:
        return [NOTHING] * 3
    value, limit = ACCURACY.value(point.score), bound.at(snr_db)
    return [ACCURACY.number(value), ACCURACY.number(limit), f"{100 * (value - limit):+.2f}"]
