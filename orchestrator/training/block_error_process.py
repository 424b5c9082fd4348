"""`python -m orchestrator.training.block_error_process ASKED`: how often blocks fail over AWGN.

ASKED and the output are JSON: codes [bits per symbol, bytes per block], and for each of them [[SNR
in dB, share that fails], ...]. The SNRs are whole numbers, from the last at which the channel
cannot carry the rate to the first at which no block failed.
"""

from __future__ import annotations

import json
import sys
from math import floor, log10

import numpy as np
import torch

from semcom.entry import run_process
from semcom.errors import SemcomError
from semcom.nn.block_code import BlockCode, block_code

HIGHEST_DB = 40
SEED = 1


def failing(code: BlockCode, *, bits: int, snr_db: float, blocks: int) -> float:
    """Return the share of random blocks that fail at an SNR."""
    rng = np.random.default_rng([SEED, bits, round(10 * (snr_db + 100))])
    noise_power = 10.0 ** (-snr_db / 10.0)
    noise = np.full(code.symbols, noise_power, np.float32)
    failed = 0
    for _ in range(blocks):
        sent = rng.integers(0, 2, bits, np.uint8)
        drawn = rng.standard_normal((code.symbols, 2)) @ np.array([1.0, 1.0j])
        symbols = code.encode(sent) + np.sqrt(noise_power / 2.0) * drawn
        decoded = code.decode(symbols.astype(np.complex64), noise)
        failed += not (decoded.valid and np.array_equal(decoded.bits, sent))
    return failed / blocks


def curve(
    symbols: int, bits_per_symbol: int, block_bytes: int, *, blocks: int
) -> list[list[float]]:
    """Return [SNR in dB, share that fails] of a code, from a share of 1 down to 0."""
    bits = 8 * block_bytes
    code = block_code(bits, symbols * bits_per_symbol, bits_per_symbol)
    lowest = floor(10.0 * log10(2.0 ** (bits / symbols) - 1.0))
    points: list[list[float]] = [[lowest, 1.0]]
    for snr_db in range(lowest + 1, HIGHEST_DB + 1):
        share = failing(code, bits=bits, snr_db=snr_db, blocks=blocks)
        points.append([snr_db, share])
        if not share:
            break
    return points


def main(asked: str) -> int:
    """Measure all requested codes; return the exit code."""
    wanted = json.loads(asked)
    torch.set_num_threads(1)
    try:
        found = [
            curve(wanted["symbols"], bits, size, blocks=wanted["blocks"])
            for bits, size in wanted["codes"]
        ]
    except SemcomError as error:  # Sionna is not installed
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    sys.stdout.write(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(run_process(lambda: main(sys.argv[1])))
