"""`python -m channel_sim.compiled`: compile the kernels of the channel, unless they are there.

A channel with `noise_engine: auto` starts this beside itself, and uses numpy until its next start.
"""

from __future__ import annotations

import sys

from channel_sim.noise_engine import load_engine
from semcom.entry import run_process
from semcom.errors import ConfigurationError
from semcom.stop_signals import in_silence


def main() -> int:
    """Compile, and check the kernels against numpy; returns the exit code."""
    try:
        load_engine("numba")
    except ConfigurationError as error:
        sys.stderr.write(f"error: {error}\n")
        return ConfigurationError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(run_process(main, say=in_silence))
