"""The programs of Prometheus, which are no Python packages."""

from __future__ import annotations

import shutil

import pytest


def found(name: str) -> str:
    """Path of `prometheus` or `promtool`; skips where the machine has none."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"no {name} on the PATH: it is no Python package; Debian's is `prometheus`")
    return path
