"""Every benchmark runs, small, and measures what it says: all frames come through."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.bench import channel_bench as channel
from orchestrator.bench import encoder_bench as encoder
from orchestrator.bench import growth, start
from orchestrator.bench import pipeline_bench as pipeline
from orchestrator.bench import receiver_bench as receiver
from orchestrator.bench import superposition_bench as superposition
from orchestrator.bench.channel_bench import Case, bench_channel
from orchestrator.bench.figures import Figures
from orchestrator.bench.peers_bench import bench_peers
from orchestrator.datasets.prepare import prepare
from orchestrator.plan.folders import Folders
from tests.integration.harness import command

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


@pytest.fixture
def folders(workplace: Path) -> Folders:
    return Folders(data=workplace / "data", codecs=workplace / "codecs").absolute()


def measured(figures: Figures, rounds: int = 1) -> None:
    """Every number of every round is there and above nothing."""
    assert len(figures.rounds) == rounds
    assert all(value > 0 for row in figures.rounds for value in row.values())
    for target in figures.targets:
        assert figures.values(target.column)


def test_channel(monkeypatch):
    monkeypatch.setattr(channel, "SINGLE", Case("single", images=1, frames=300))
    monkeypatch.setattr(channel, "LARGE", Case("64 KiB", images=160, frames=20))
    measured(bench_channel(rounds=1))


def test_peers():
    pytest.importorskip("sionna", reason="needs the extra sionna")
    measured(bench_peers(rounds=1))


def test_pipeline(monkeypatch, folders):
    monkeypatch.setattr(pipeline, "LINKS", 2)
    monkeypatch.setattr(pipeline, "IMAGES", 100)
    monkeypatch.setattr(pipeline, "FRAME_IMAGES", 10)
    measured(pipeline.bench_pipeline(1, folders))


def test_latency(monkeypatch, folders):
    monkeypatch.setattr(pipeline, "SINGLE_FRAMES", 20)
    figures = pipeline.bench_latency(1, folders)
    measured(figures)
    (row,) = figures.rounds
    assert row["p50, ms"] <= row["p99, ms"]


def test_receiver(monkeypatch, folders):
    monkeypatch.setattr(receiver, "BATCHES", (1, 4))
    monkeypatch.setattr(receiver, "IMAGES", 400)
    monkeypatch.setattr(receiver, "SINGLE_IMAGES", 30)
    measured(receiver.bench_receiver(1, folders))


def test_superposition(monkeypatch, folders):
    monkeypatch.setattr(superposition, "IMAGES", 20)
    monkeypatch.setattr(superposition, "FRAME_IMAGES", 2)
    measured(superposition.bench_superposition(1, folders))


def test_encoder(monkeypatch, folders):
    monkeypatch.setattr(encoder, "REPEATS", 2)
    monkeypatch.setattr(encoder, "IMAGES", 5)
    figures = encoder.bench_encoder(2, folders)
    measured(figures, rounds=2)
    assert "0 of 5 answers differ" in figures.facts["agreement at 32x32"]


def test_growth(monkeypatch, folders):
    monkeypatch.setattr(growth, "LINKS", (1, 2))
    monkeypatch.setattr(growth, "RECEIVERS", (1,))
    monkeypatch.setattr(growth, "IMAGES", 100)
    figures = growth.bench_growth(folders)
    measured(figures, rounds=2)
    assert [row["links"] for row in figures.rounds] == [1, 2]


def test_start(folders):
    prepare("shapes200", root=folders.data / "shapes200", source=None, train_images=1)
    measured(start.bench_start(1, folders))


def test_unknown_benchmark_is_named(workplace):
    code, printed = command("bench", "run", "chanel", cwd=workplace)
    assert code == 2
    assert "chanel" in printed
