"""The benchmark of clusters runs, small, and measures what it says.

`make test-cluster` installs Ray and runs this.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.plan.folders import Folders

pytest.importorskip("ray", reason="ray is not installed: make test-cluster")
pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]


def test_cluster(workplace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orchestrator.bench import cluster_bench  # noqa: PLC0415 - needs Ray

    for name, value in {"PARTS": 2, "LINKS": 2, "POINTS": 3, "IMAGES": 1000}.items():
        monkeypatch.setattr(cluster_bench, name, value)
    folders = Folders(data=workplace / "data", codecs=workplace / "codecs").absolute()
    figures = cluster_bench.bench_cluster(1, folders)
    (row,) = figures.rounds
    assert all(value > 0 for value in row.values()), row
    assert all(target.column in row for target in figures.targets)
