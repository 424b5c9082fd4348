"""Describe this machine."""

from __future__ import annotations

import platform
import re
from pathlib import Path

from semcom.files import read_text

MAX_BYTES = 1 << 24
# The extensions of x86 and Arm by which kernels are chosen, as Linux names them.
VECTOR_FLAGS = re.compile(r"avx\w*|fma|amx\w*|sse4_2|asimd\w*|sve\w*|i8mm|bf16")
FLAG_LINES = ("flags", "Features")


def processor() -> str:
    """Return the processor's name, if the system reports it."""
    names = [value for name, value in _cpu_lines() if "model name" in name]
    return names[0] if names else platform.processor() or platform.machine()


def vector_extensions() -> str:
    """Return the vector extensions of the processor, in order; empty if unknown."""
    flags = next((value for name, value in _cpu_lines() if name in FLAG_LINES), "")
    return " ".join(sorted(flag for flag in flags.split() if VECTOR_FLAGS.fullmatch(flag)))


def _cpu_lines() -> list[tuple[str, str]]:
    try:
        text = read_text(Path("/proc/cpuinfo"), max_bytes=MAX_BYTES)
    except OSError:
        return []
    parted = (line.partition(":") for line in text.splitlines())
    return [(name.strip(), value.strip()) for name, _, value in parted]
