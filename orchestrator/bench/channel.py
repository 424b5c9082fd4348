"""`semcom bench run channel`: the channel process alone, beside a forwarder that reads nothing.

Both ends of the link share one thread, which bounds what the forwarder can show.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from orchestrator.bench.figures import Figures, Row, Target, machine
from orchestrator.bench.processes import Asked, addresses, asked, served
from orchestrator.bench.raw import CHUNK, RUN

SYMBOLS = 51  # 102 reals
WINDOW = 128
POINT = {"snr_db": 5.0, "seed": 1}


@dataclass(frozen=True)
class Case:
    """Frames of one size."""

    name: str
    images: int
    frames: int


SINGLE = Case("single", images=1, frames=16_384)
LARGE = Case("64 KiB", images=160, frames=2048)


def bench_channel(rounds: int) -> Figures:
    """Frames per second to the receiver, results per second back, and their ratios."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        ends = {
            case.name: (
                stack.enter_context(_through_channel(case, Path(folder))),
                stack.enter_context(through_forwarder(case)),
            )
            for case in (SINGLE, LARGE)
        }
        for _ in range(rounds):
            row: Row = {}
            for case in (SINGLE, LARGE):
                ours, bare = (_rates(end, case) for end in ends[case.name])
                for way, channel, forwarder in zip(("frames", "results"), ours, bare, strict=True):
                    row[f"{case.name} {way}: channel, 1/s"] = channel
                    row[f"{case.name} {way}: forwarder, 1/s"] = forwarder
                    row[f"{case.name} {way}: ratio"] = channel / forwarder
            rows.append(row)
    return Figures(
        name="channel",
        title="The channel process alone",
        rounds=rows,
        targets=[
            Target(
                claim="channel: single-image frames of 102 reals per second",
                column=f"{SINGLE.name} frames: channel, 1/s",
                bound=25_000,
            ),
            Target(
                claim="channel: share of a bare forwarder's bandwidth on 64 KiB frames",
                column=f"{LARGE.name} frames: ratio",
                bound=0.5,
            ),
        ],
        facts={**machine(), "frames under way": str(WINDOW), "channel": "AWGN, 5 dB"},
    )


def _rates(ends: Asked, case: Case) -> list[float]:
    """Frames per second there, results per second back."""
    return [case.frames / seconds for seconds in ends.ask(f"stream {case.frames} {WINDOW}")]


@contextmanager
def _through_channel(case: Case, folder: Path) -> Iterator[Asked]:
    uplink, downlink = addresses(2)
    section = {
        "uplink": uplink,
        "downlink": downlink,
        "queue_frames": CHUNK,
        "static": {"run": RUN, "points": [POINT]},
    }
    name = f"channel-{case.images}"
    with (
        served("channel_sim", {"channel": section}, folder, name),
        _exchange(case, uplink, downlink) as ends,
    ):
        yield ends


@contextmanager
def through_forwarder(case: Case) -> Iterator[Asked]:
    """Both ends of a link with nothing but a forwarder between them."""
    uplink, downlink = addresses(2)
    with (
        asked("orchestrator.bench.raw", "forward", uplink, downlink),
        _exchange(case, uplink, downlink) as ends,
    ):
        yield ends


@contextmanager
def _exchange(case: Case, uplink: str, downlink: str) -> Iterator[Asked]:
    shape = ("--images", str(case.images), "--symbols", str(SYMBOLS))
    with asked("orchestrator.bench.raw", "exchange", uplink, downlink, *shape) as ends:
        yield ends
