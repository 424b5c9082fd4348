"""`python -m channel_sim.noise_bench`: the cost of one real Gaussian with each engine.

It also measures numpy's own normals from the same generator, whose bits are not guaranteed. Each
line on standard input is answered with a line of JSON: nanoseconds by name, the minimum of many
draws.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import partial
from timeit import repeat
from typing import get_args

import numpy as np

from channel_sim.noise import Items
from channel_sim.noise_engine import load_engine
from semcom.settings import NoiseEngine

CODEWORDS, SYMBOLS = 160, 51  # 64 KiB
REALS = 2 * CODEWORDS * SYMBOLS
DRAWS = 300


def nanoseconds() -> dict[str, float]:
    """Return the time of one real, by engine."""
    items = [Items((1, 2), 0, CODEWORDS)]
    generator = np.random.Generator(np.random.Philox(0))
    draws: dict[str, Callable[[], object]] = {
        engine: partial(load_engine(engine).normals, items, per_item=SYMBOLS)
        for engine in get_args(NoiseEngine)
    }
    draws["numpy's normals"] = partial(generator.standard_normal, REALS, dtype=np.float32)
    return {
        name: 1e9 * min(repeat(draw, number=1, repeat=DRAWS)) / REALS
        for name, draw in draws.items()
    }


def main() -> None:
    """Answer requests until standard input ends."""
    for _ in sys.stdin:
        sys.stdout.write(json.dumps(nanoseconds()) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
