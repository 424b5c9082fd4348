"""`semcom bench run pipeline latency`: the processes compared with baselines."""

from __future__ import annotations

from contextlib import AbstractContextManager

from orchestrator.bench.bench_processes import AskedProcess, asked
from orchestrator.bench.bench_sweeps import CODEC, DATASET, scenario_of, swept
from orchestrator.bench.channel_bench import SINGLE, through_forwarder
from orchestrator.bench.figures import Figures, Row, Target, machine
from orchestrator.plan.folders import Folders
from semcom.statistics import percentile

LINKS = 3
IMAGES = 1000
FRAME_IMAGES = 100
SINGLE_FRAMES = 500


def bench_pipeline(rounds: int, folders: Folders) -> Figures:
    """Measure images per second of three links, and of one process that does the same in a loop.

    The loop has all cores: its encoder and decoder use as many threads as there are. The
    processes use one thread each.
    """
    here = machine()
    scenario = scenario_of(
        "pipeline", links=LINKS, images=IMAGES, frame_images=FRAME_IMAGES, snr_db=[0.0, 5.0, 10.0]
    )
    rows: list[Row] = []
    with offline(folders) as loop:
        loop.ask("link")  # the first run is slower
        for _ in range(rounds):
            ours = swept(scenario, folders).images_per_second
            alone = IMAGES / float(loop.ask("link"))
            rows.append(
                {"processes, images/s": ours, "one process, images/s": alone, "ratio": ours / alone}
            )
    return Figures(
        name="pipeline",
        title="Throughput of all processes together",
        rounds=rows,
        targets=[
            Target(
                claim="throughput of the processes: share of one process that loops on all cores",
                column="ratio",
                bound=0.9,
            )
        ],
        facts={**here, "links": str(LINKS), "images in a frame": str(FRAME_IMAGES)},
    )


def bench_latency(rounds: int, folders: Folders) -> Figures:
    """Measure the round trip of single images minus its computing time, and that of raw ZeroMQ.

    The path is the same: over a forwarder to the other end and back, four hops in all. At the same
    pace, it pauses before each frame for as long as a transmitter encodes.
    """
    here = machine()
    scenario = scenario_of("latency", images=SINGLE_FRAMES, frame_images=1, window=1)
    rows: list[Row] = []
    with through_forwarder(SINGLE) as ends:
        for _ in range(rounds):
            frames = swept(scenario, folders).rows
            over_ms = [row.round_trip_ms - row.channel_ms - row.decode_ms for row in frames]
            encode_ms = percentile([row.encode_ms for row in frames], 50)
            raw_ms, paced_ms = (
                [1e3 * each for each in ends.ask(f"single {SINGLE_FRAMES} {pause_s}")]
                for pause_s in (0.0, encode_ms / 1e3)
            )
            rows.append(
                {
                    "p50, ms": percentile(over_ms, 50),
                    "p99, ms": percentile(over_ms, 99),
                    "raw ZeroMQ, p50, ms": percentile(raw_ms, 50),
                    "raw ZeroMQ, p99, ms": percentile(raw_ms, 99),
                    "raw ZeroMQ at the same pace, p50, ms": percentile(paced_ms, 50),
                    "raw ZeroMQ at the same pace, p99, ms": percentile(paced_ms, 99),
                    "decode, p50, ms": percentile([row.decode_ms for row in frames], 50),
                    "channel, p50, ms": percentile([row.channel_ms for row in frames], 50),
                    "encode, p50, ms": encode_ms,
                }
            )
    return Figures(
        name="latency",
        title="Round trip of a single image, less channel and decoder",
        rounds=rows,
        targets=[
            Target(
                claim="latency: round trip of an image less the computing in it, median (ms)",
                column="p50, ms",
                bound=0.6,
                at_least=False,
            ),
            Target(
                claim="latency: the same, 99th percentile (ms)",
                column="p99, ms",
                bound=2.0,
                at_least=False,
            ),
        ],
        facts=here,
    )


def offline(
    folders: Folders, *, threads: int | None = None
) -> AbstractContextManager[AskedProcess]:
    """Run the link in one process, by default on all cores; see `orchestrator.training.offline`."""
    return asked(
        "orchestrator.training.offline",
        *(() if threads is None else ("--threads", str(threads))),
        *("--codec", str(folders.codecs / CODEC), "--dataset", str(folders.data / DATASET)),
        *("--images", str(IMAGES), "--frame-images", str(FRAME_IMAGES)),
    )
