"""Fixtures for all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from orchestrator.datasets.prepare import prepare

REPO = Path(__file__).resolve().parents[1]
# Results depend on the number of threads in their last bits, and workers share the cores.
os.environ["OMP_NUM_THREADS"] = "1"
# How long an example takes depends on what else the machine does.
settings.register_profile("shared", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared")


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shipped codecs and freshly drawn test images (nothing trains on them)."""
    folder = tmp_path_factory.mktemp("workplace")
    codecs = Path(os.environ.get("SEMCOM_TEST_CODECS", REPO / "codecs"))
    (folder / "codecs").symlink_to(codecs)
    for name in ("shapes10", "shapes100"):
        prepare(name, root=folder / "data" / name, source=None, train_images=1)
    return folder
