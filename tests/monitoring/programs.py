"""The programs of Prometheus, which are no Python packages."""

from __future__ import annotations

import shutil

import pytest


def found(name: str) -> str:
    """Path of `prometheus` or `promtool`; skips where the machine has none."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not on the PATH; Debian and Ubuntu: apt install prometheus")
    return path
