"""Measure block errors in a separate process, because the orchestrator does not use torch."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence

from semcom.children import run_module
from semcom.errors import ProcessFailedError
from semcom.families.image_modes import Candidate, Curve

MODULE = "orchestrator.training.block_error_process"


def block_errors(codes: Sequence[Candidate], *, symbols: int, blocks: int) -> list[Curve]:
    """Return the error rates of each code over AWGN, from random blocks at every SNR.

    Raises:
        ProcessFailedError: the process failed, with the reason.
    """
    asked = {
        "symbols": symbols,
        "blocks": blocks,
        "codes": [[code.bits_per_symbol, code.block_bytes] for code in codes],
    }
    done = run_module(
        MODULE, json.dumps(asked), stdin=subprocess.DEVNULL, capture_output=True, text=True
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise ProcessFailedError(last.removeprefix("error: "), done.returncode)
    return [
        Curve(tuple(snr_db for snr_db, _ in points), tuple(share for _, share in points))
        for points in json.loads(done.stdout)
    ]
