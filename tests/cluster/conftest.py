"""Clusters that several files of tests use."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.slurm_nodes import Slurm


@pytest.fixture
def slurm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Slurm]:
    """Two nodes, their daemons running."""
    made = Slurm(tmp_path_factory.mktemp("slurm"))
    try:
        yield made
    finally:
        made.close()
