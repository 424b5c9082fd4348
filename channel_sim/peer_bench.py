"""`python -m channel_sim.peer_bench`: CPU of the channel by each engine, and of Sionna's.

Sionna's channel draws by torch in one thread: Gaussian noise, and a gain of each codeword where the
channel fades. Ours also measures the SNR, and gives the same bits for any batch. Answers each line
on its standard input with a line of JSON: milliseconds of CPU by name.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, get_args

import numpy as np
import torch
from sionna.phy.channel import AWGN

from channel_sim.channels import Codewords
from channel_sim.noise import ComplexArray
from channel_sim.noise_engine import Engine, load_engine
from channel_sim.passing import pass_frames
from semcom.points import ChannelModel, ChannelSettings, PointSpec
from semcom.settings import NoiseEngine

SYMBOLS = 51
CODEWORDS = 10_000
FRAME = 1000  # codewords of a call of ours
SINGLE_CALLS = 50
SNR_DB = 5.0
MODELS: tuple[ChannelModel, ...] = ("awgn", "rayleigh")


def pass_by_engine(engine: Engine, point: PointSpec, symbols_BK: ComplexArray) -> None:
    """Send codewords through our channel, frame by frame."""
    for first in range(0, len(symbols_BK), FRAME):
        part = symbols_BK[first : first + FRAME]
        frame = Codewords(point, "link", first, len(part))
        pass_frames([frame], part, engine.mean_power(part), engine=engine)


def pass_by_sionna(channel: Any, symbols_BK: torch.Tensor, *, fades: bool) -> None:
    """Send codewords through Sionna's channel, all at once."""
    with torch.no_grad():
        if fades:
            parts = torch.randn(len(symbols_BK), 1, 2) * 0.5**0.5
            symbols_BK = torch.view_as_complex(parts) * symbols_BK
        channel(symbols_BK, torch.tensor(10.0 ** (-SNR_DB / 10.0)))


def milliseconds() -> dict[str, float]:
    """Of CPU, by the number of codewords, the channel and who computes it."""
    phases_BK = np.arange(CODEWORDS * SYMBOLS).reshape(CODEWORDS, SYMBOLS)
    all_BK = np.exp(1j * phases_BK).astype(np.complex64)
    channel = AWGN()
    found: dict[str, float] = {}
    for name, symbols_BK, calls in (
        (f"{CODEWORDS:,} codewords", all_BK, 1),
        ("one codeword", all_BK[:1], SINGLE_CALLS),
    ):
        for model in MODELS:
            point = PointSpec(channel=ChannelSettings(model=model), snr_db=SNR_DB, seed=1)
            ways: dict[str, Callable[[], None]] = {
                engine: partial(pass_by_engine, load_engine(engine), point, symbols_BK)
                for engine in get_args(NoiseEngine)
            }
            ways["Sionna"] = partial(
                pass_by_sionna, channel, torch.from_numpy(symbols_BK), fades=model != "awgn"
            )
            for way, work in ways.items():
                found[f"{name}, {model}: {way}, ms"] = _cpu_ms(work, calls)
    return found


def _cpu_ms(work: Callable[[], None], calls: int) -> float:
    started_s = time.process_time()
    for _ in range(calls):
        work()
    return 1e3 * (time.process_time() - started_s) / calls


def main() -> None:
    """Answer until the end of the standard input; the first time is slower and not counted."""
    torch.set_num_threads(1)
    milliseconds()
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(milliseconds()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
