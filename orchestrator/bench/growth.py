"""`semcom bench run growth`: the cost of an image as links and receivers increase."""

from __future__ import annotations

import os

from orchestrator.bench.bench_sweeps import WatchedSweep, scenario_of, swept
from orchestrator.bench.figures import Figures, Row, machine
from orchestrator.plan.folders import Folders

LINKS = (1, 3, 10, 30)
RECEIVERS = (1, 2)
IMAGES = 1000  # images of a link at one SNR: many times its window
FRAME_IMAGES = 20


def bench_growth(folders: Folders) -> Figures:
    """Run a sweep for each number of links and receivers; every link sends the same images."""
    here = machine()
    rows: list[Row] = []
    for receivers in RECEIVERS:
        for links in LINKS:
            scenario = scenario_of(
                "growth",
                links=links,
                receivers=receivers,
                images=IMAGES,
                snr_db=[5.0] if links > 3 else [0.0, 5.0, 10.0],
                frame_images=FRAME_IMAGES,
            )
            rows.append(_row(links, receivers, swept(scenario, folders)))
    return Figures(
        name="growth",
        title="Growth",
        rounds=rows,
        facts={**here, "images in a frame": str(FRAME_IMAGES)},
        rows_are_cases=True,
    )


def _row(links: int, receivers: int, watched: WatchedSweep) -> Row:
    weights = watched.peak_mib
    edges = [weight for name, weight in weights.items() if name.startswith("edge")]
    receivers_mib = [weight for name, weight in weights.items() if name.startswith("receiver")]
    rate = watched.images_per_second
    return {
        "links": links,
        "receivers": receivers,
        "images/s": rate,
        "all cores, ms per image": 1e3 * len(os.sched_getaffinity(0)) / rate,
        "round trip p50, ms": watched.round_trip_ms(50),
        "round trip p99, ms": watched.round_trip_ms(99),
        "transmitter, MiB": max(edges),
        "channel, MiB": weights["channel"],
        "receiver, MiB": max(receivers_mib),
    }
