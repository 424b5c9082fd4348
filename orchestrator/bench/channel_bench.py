"""`semcom bench run channel`: the channel process alone, compared with a forwarder.

The channel draws its noise with each engine; the targets refer to the compiled one. Both ends of
the link share one thread, which limits the forwarder's rate.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from orchestrator.bench.bench_processes import AskedProcess, addresses, asked, served
from orchestrator.bench.figures import Figures, Row, Target, machine
from orchestrator.bench.raw import CHUNK, RUN
from semcom.settings import NoiseEngine

SYMBOLS = 51  # 102 reals
WINDOW = 128
FRAMES, RESULTS = "frames", "results"
WAYS = (FRAMES, RESULTS)
POINT = {"snr_db": 5.0, "seed": 1}


@dataclass(frozen=True)
class Case:
    """Frames of one size."""

    name: str
    images: int
    frames: int


SINGLE = Case("single", images=1, frames=16_384)
LARGE = Case("64 KiB", images=160, frames=2048)
CASES = (SINGLE, LARGE)
ENGINES: tuple[NoiseEngine, ...] = get_args(NoiseEngine)
FAST: NoiseEngine = "numba"


def bench_channel(rounds: int) -> Figures:
    """Measure frames per second to the receiver, results per second back, and their ratios."""
    here = machine()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        forwarders = [stack.enter_context(through_forwarder(case)) for case in CASES]
        channels = [
            [stack.enter_context(_through_channel(case, e, Path(folder))) for e in ENGINES]
            for case in CASES
        ]
        noise = stack.enter_context(asked("channel_sim.noise_bench"))
        for _ in range(rounds):
            costs = noise.ask("again")
            row: Row = {f"one Gaussian: {name}, ns": cost for name, cost in costs.items()}
            for case, forwarder, by_engine in zip(CASES, forwarders, channels, strict=True):
                bare = _rates(forwarder, case)
                for engine, channel in zip(ENGINES, by_engine, strict=True):
                    ours = _rates(channel, case)
                    for way, rate, wall in zip(WAYS, ours, bare, strict=True):
                        row[_rate_of(case, way, engine)] = rate
                        row[_ratio_of(case, way, engine)] = rate / wall
                for way, wall in zip(WAYS, bare, strict=True):
                    row[_rate_of(case, way, "forwarder")] = wall
            rows.append(row)
    return Figures(
        name="channel",
        title="The channel process alone",
        rounds=rows,
        targets=[
            Target(
                claim="channel: single-image frames of 102 reals per second",
                column=_rate_of(SINGLE, FRAMES, FAST),
                bound=25_000,
            ),
            Target(
                claim="channel: share of a bare forwarder's bandwidth on 64 KiB frames",
                column=_ratio_of(LARGE, FRAMES, FAST),
                bound=0.5,
            ),
        ],
        facts={**here, "frames under way": str(WINDOW), "channel": "AWGN, 5 dB"},
    )


def _rate_of(case: Case, way: str, through: str) -> str:
    """Return the name of a column with messages per second."""
    return f"{case.name} {way}: {through}, 1/s"


def _ratio_of(case: Case, way: str, engine: NoiseEngine) -> str:
    """Return the name of a column with the channel's rate over the forwarder's."""
    return f"{case.name} {way}: {engine}, share of the forwarder"


def _rates(ends: AskedProcess, case: Case) -> list[float]:
    """Return frames per second to the receiver and results per second back."""
    return [case.frames / seconds for seconds in ends.ask(f"stream {case.frames} {WINDOW}")]


@contextmanager
def _through_channel(case: Case, engine: NoiseEngine, folder: Path) -> Iterator[AskedProcess]:
    uplink, downlink = addresses(2)
    section = {
        "uplink": uplink,
        "downlink": downlink,
        "queue_frames": CHUNK,
        "queue_bytes": 1 << 30,  # all of them are answered after all have come
        "noise_engine": engine,
        "static": {"run": RUN, "points": [POINT]},
    }
    name = f"channel-{case.images}-{engine}"
    with (
        served("channel_sim", {"channel": section}, folder, name),
        _exchange(case, uplink, downlink) as ends,
    ):
        yield ends


@contextmanager
def through_forwarder(case: Case) -> Iterator[AskedProcess]:
    """Measure both ends of a link with only a forwarder between them."""
    uplink, downlink = addresses(2)
    with (
        asked("orchestrator.bench.raw", "forward", uplink, downlink),
        _exchange(case, uplink, downlink) as ends,
    ):
        yield ends


@contextmanager
def _exchange(case: Case, uplink: str, downlink: str) -> Iterator[AskedProcess]:
    shape = ("--images", str(case.images), "--symbols", str(SYMBOLS))
    with asked("orchestrator.bench.raw", "exchange", uplink, downlink, *shape) as ends:
        yield ends
