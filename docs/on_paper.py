"""An estimate of an evaluation of ImageNet for docs/cluster.md, derived from the benchmarks.

Nothing here is measured at that size: counts are those of the plan; times are those of one encoding
and one decoding, multiplied by their number; storage and commits are those of the ledger.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from orchestrator.bench.cluster_bench_names import BYTES, FRAME_IMAGES, RECORDED
from orchestrator.bench.figures import Figures
from orchestrator.evaluation.on_cluster import UNITS_OF_A_WORKER

IMAGES, SYSTEMS, SNRS, CHANNELS, SEEDS = 50_000, 8, 15, 2, 5
WORKERS = 100
HEAD = ("quantity", "value", "from")
NOT_YET = "not measured yet: `semcom bench run cluster --out docs/performance`"


def on_paper(found: Sequence[Figures]) -> list[tuple[str, str, str]]:
    """Return the rows: a quantity, its value and its source."""
    by_name = {figures.name: figures for figures in found}
    encode_s = _median(by_name["encoder"], "224x224: torch, ms") / 1e3
    decoded = _median(by_name["receiver"], "decoder alone at its best batch, images/s")
    points = SNRS * CHANNELS * SEEDS
    frames = IMAGES // FRAME_IMAGES * points * SYSTEMS
    encodings, answers = IMAGES * SYSTEMS, frames * FRAME_IMAGES
    encoding_s, decoding_s = encodings * encode_s, answers / decoded
    units = WORKERS * UNITS_OF_A_WORKER
    a_second = frames / (encoding_s + decoding_s)
    rows = [
        ("points of a system", f"{points:,}", f"{SNRS} SNRs, {CHANNELS} channels, {SEEDS} seeds"),
        ("encodings", f"{encodings:,}", "an image is sent at all points of its system"),
        ("answers", f"{answers:,}", "one for each image, point and system"),
        ("frames", f"{frames:,}", f"of {FRAME_IMAGES} images; one row of the ledger each"),
        ("units", f"{units:,}", f"{WORKERS} workers; {encodings // units:,} images at all points"),
        ("encoding, CPU hours", _hours(encoding_s), "`encoder`: torch at 224x224, one thread"),
        ("decoding, CPU hours", _hours(decoding_s), "`receiver`: the decoder alone"),
        ("frames per second of one worker", f"{a_second:,.0f}", "frames over both times"),
    ]
    cluster = by_name.get("cluster")
    if cluster is None:
        return [*rows, ("ledger", NOT_YET, "`cluster`")]
    recorded = _median(cluster, RECORDED)
    stored_mib = frames * _median(cluster, BYTES) / 2**20
    return [
        *rows,
        ("ledger, MiB", f"{stored_mib:,.0f}", "`cluster`: bytes per frame"),
        ("frames per second that a ledger takes", f"{recorded:,.0f}", "`cluster`: in units"),
        ("recording, minutes", f"{frames / recorded / 60:,.1f}", "`cluster`"),
        ("workers that saturate the ledger", f"{recorded / a_second:,.0f}", "ratio of both rates"),
    ]


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.2f}"


def _median(figures: Figures, column: str) -> float:
    return statistics.median(figures.values(column))
