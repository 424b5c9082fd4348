"""Describe this machine."""

from __future__ import annotations

import platform
from pathlib import Path

from semcom.files import read_text

MAX_BYTES = 1 << 24


def processor() -> str:
    """The processor's own name where the system tells."""
    try:
        text = read_text(Path("/proc/cpuinfo"), max_bytes=MAX_BYTES)
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
