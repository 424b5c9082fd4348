"""The environment of the tests: nothing of that in which they are started decides how they end."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import MutableMapping

from semcom.children import clean_environment, leave_cluster

# How Rich and Python are told to behave otherwise; a live system's token.
REMOVED = (
    "FORCE_COLOR", "CLICOLOR_FORCE", "TTY_COMPATIBLE", "TTY_INTERACTIVE", "COLUMNS", "LINES",
    "PYTHONSAFEPATH", "PYTHONWARNINGS", "PYTHONINSPECT", "PYTHONOPTIMIZE", "PYTHONUNBUFFERED",
    "SEMCOM_TOKEN",
    "PYTHONDONTWRITEBYTECODE",  # a thousand processes would each compile what they import
)  # fmt: skip
LOOPBACK = "127.0.0.1,localhost"


def settle(environment: MutableMapping[str, str] = os.environ) -> None:
    """Make this process's environment what the tests are written for."""
    clean_environment(environment)
    leave_cluster(environment)
    for name in REMOVED:
        environment.pop(name, None)
    # Results depend on the number of threads in their last bits, and workers share the cores.
    environment["OMP_NUM_THREADS"] = "1"
    for name in ("no_proxy", "NO_PROXY"):  # a proxy knows nothing of this host's loopback
        known = environment.get(name)
        environment[name] = f"{known},{LOOPBACK}" if known else LOOPBACK


def keep_bytecode() -> None:
    """Have this process write what it compiles, as those that it starts do."""
    sys.dont_write_bytecode = False


def answer_ctrl_c() -> None:
    """Take SIGINT where it is ignored, as in the background of a shell (`make test &`)."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
