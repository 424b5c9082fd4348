"""The sweep of ImageNet on paper follows from what was measured."""

from __future__ import annotations

from docs.on_paper import on_paper
from orchestrator.bench.cluster_bench_names import BYTES, RECORDED
from orchestrator.bench.figures import Figures

MEASURED = [
    Figures(name="encoder", title="", rounds=[{"224x224: torch, ms": 36.0}]),
    Figures(
        name="receiver",
        title="",
        rounds=[{"decoder alone at its best batch, images/s": 10_000.0}],
    ),
]
LEDGER = Figures(name="cluster", title="", rounds=[{RECORDED: 20_000.0, BYTES: 1024.0}])


def test_counts_are_those_of_the_plan_and_times_those_of_the_benchmarks() -> None:
    rows = {name: value for name, value, _ in on_paper([*MEASURED, LEDGER])}
    assert rows["encodings"] == "400,000"
    assert rows["answers"] == "60,000,000"
    assert rows["frames"] == "600,000"
    assert rows["encoding, CPU hours"] == "4.00"
    assert rows["decoding, CPU hours"] == "1.67"
    assert rows["frames per second of one worker"] == "29"
    assert rows["ledger, MiB"] == "586"
    assert rows["recording, minutes"] == "0.5"
    assert rows["workers that saturate the ledger"] == "680"


def test_what_was_not_measured_is_said() -> None:
    assert on_paper(MEASURED)[-1][1].startswith("not measured yet: `semcom bench run cluster")
