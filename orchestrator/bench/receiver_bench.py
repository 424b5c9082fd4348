"""`semcom bench run receiver`: the receiver process compared with its decoder alone."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from orchestrator.bench.bench_processes import AskedProcess, addresses, asked, served
from orchestrator.bench.bench_sweeps import CODEC
from orchestrator.bench.figures import Figures, Row, Target, machine
from orchestrator.bench.pipeline_bench import FRAME_IMAGES, offline
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import Folders

BATCHES = (1, 8, 32, 64, 128, 256)
IMAGES = 12_000  # of one measurement
SINGLE_IMAGES = 3000
WINDOW_IMAGES = 768
MODES = ("throughput", "exact")


def bench_receiver(rounds: int, folders: Folders) -> Figures:
    """Measure images per second of a receiver fed as fast as it accepts them, in both modes."""
    here = machine()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        alone = stack.enter_context(offline(folders, threads=1))
        fed = {
            mode: stack.enter_context(_fed_receiver(mode, folders, Path(folder))) for mode in MODES
        }
        for batch in BATCHES:
            alone.ask(f"decode {batch}")  # the first run is slower
        for _ in range(rounds):
            best = max(float(alone.ask(f"decode {batch}")) for batch in BATCHES)
            single, single_busy = _measured(fed["throughput"], images=1, total=SINGLE_IMAGES)
            merged, merged_busy = _measured(fed["throughput"], images=FRAME_IMAGES, total=IMAGES)
            exact, _ = _measured(fed["exact"], images=FRAME_IMAGES, total=IMAGES)
            exact_single, _ = _measured(fed["exact"], images=1, total=SINGLE_IMAGES)
            rows.append(
                {
                    "decoder alone at its best batch, images/s": best,
                    "throughput mode, single images, images/s": single,
                    f"throughput mode, frames of {FRAME_IMAGES}, images/s": merged,
                    f"exact mode, frames of {FRAME_IMAGES}, images/s": exact,
                    "exact mode, single images, images/s": exact_single,
                    "throughput mode, single images: share of the decoder": single / best,
                    f"throughput mode, frames of {FRAME_IMAGES}: share of the decoder": merged
                    / best,
                    "exact mode: share of throughput mode": exact / merged,
                    "throughput mode, single images: share of the time in the decoder": single_busy,
                    f"throughput mode, frames of {FRAME_IMAGES}: "
                    "share of the time in the decoder": merged_busy,
                }
            )
    return Figures(
        name="receiver",
        title="The receiver process alone",
        rounds=rows,
        targets=[
            Target(
                claim="receiver: throughput mode, share of its decoder at the best batch",
                column=f"throughput mode, frames of {FRAME_IMAGES}: share of the decoder",
                bound=0.9,
            ),
            Target(
                claim="receiver: the same with single images of three links",
                column="throughput mode, single images: share of the decoder",
                bound=0.9,
            ),
            Target(
                claim="receiver: exact mode, share of throughput mode",
                column="exact mode: share of throughput mode",
                bound=0.75,
            ),
        ],
        facts={**here, "threads": "1", "images under way": str(WINDOW_IMAGES)},
    )


def _measured(feed: AskedProcess, *, images: int, total: int) -> tuple[float, float]:
    """Return images per second, and the share of the time in the decoder."""
    window = max(2, WINDOW_IMAGES // images)
    seconds, decoding_s = feed.ask(f"{images} {total // images} {window}")
    return total / seconds, decoding_s / seconds


@contextmanager
def _fed_receiver(mode: str, folders: Folders, folder: Path) -> Iterator[AskedProcess]:
    (downlink,) = addresses(1)
    section = {
        "downlink": downlink,
        "codec_dir": str(folders.codecs),
        "codecs": [CODEC],
        "mode": mode,
        "threads": 1,
    }
    symbols = Catalog(folders.codecs).open(CODEC).manifest.symbols
    with (
        asked("orchestrator.bench.feed", downlink, "--symbols", str(symbols)) as feed,
        served("receiver", {"receiver": section}, folder, f"receiver-{mode}"),
    ):
        yield feed
