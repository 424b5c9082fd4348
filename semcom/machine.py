"""What this machine is, in words."""

from __future__ import annotations

import platform
from pathlib import Path


def processor() -> str:
    """The processor's own name where the system tells."""
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if "model name" in line]
    return names[0] if names else platform.machine()
