"""Tables of interference: what a cell counts together, and what it keeps apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.plan.plan import Plan, PlannedPoint
from orchestrator.reports.interference_page import interference_section
from orchestrator.reports.interference_tables import interference_tables
from orchestrator.results.run_folder import StoredRun, read_run
from semcom.interference import Interference
from semcom.points import ChannelSettings, PointSpec
from semcom.tasks.score import Score, merged
from tests.orchestrator.ledgers import fake_codec, fake_link, fake_plan, fill_ledger

RAYLEIGH = ChannelSettings(model="rayleigh")


def met(**options: object) -> Interference:
    return Interference.model_validate(options)


def run_of(folder: Path, *interferences: Interference | None) -> StoredRun:
    link = fake_link("shapes10", fake_codec("cat"))
    plan: Plan = fake_plan({"east": link, "west": link}).model_copy(
        update={
            "points": [
                PlannedPoint(
                    variant=0,
                    spec=PointSpec(channel=RAYLEIGH, snr_db=5.0, seed=seed, interference=each),
                )
                for seed in (0, 1)
                for each in interferences
            ]
        }
    )
    return read_run(fill_ledger(folder, plan))


@pytest.fixture
def run(tmp_path: Path) -> StoredRun:
    return run_of(
        tmp_path,
        None,
        met(interferers=1, sir_db=0.0),
        met(interferers=1, sir_db=10.0),
        met(interferers=2, sir_db=10.0, occurrence=0.5),
    )


def test_a_row_is_a_number_of_interferers_and_a_column_a_sir(run: StoredRun) -> None:
    table = interference_tables([run])[0]
    assert table.head[4:] == ["interferers", "SIR 0 dB", "SIR 10 dB"]
    rows = {(row[2], row[4]): row[5:] for row in table.rows}
    assert set(rows) == {
        ("Rayleigh", "0"), ("Rayleigh", "1"), ("Rayleigh occurrence=0.5", "2"),
    }  # fmt: skip
    assert rows["Rayleigh", "0"][0] == rows["Rayleigh", "0"][1], "without interferers no SIR counts"
    assert rows["Rayleigh occurrence=0.5", "2"][0] == ""


def test_a_cell_counts_links_and_seeds_together(run: StoredRun) -> None:
    scores = [
        point.score
        for point in run.summary.points
        if point.sir_db == 0.0 and point.interferers == 1
    ]
    assert len(scores) == 2 * 2
    total: Score = scores[0]
    for score in scores[1:]:
        total = merged(total, score)
    metric = run.summary.metrics[0]
    row = next(row for row in interference_tables([run])[0].rows if row[4] == "1")
    value, interval = row[5].split(" (")
    assert value == metric.number(metric.value(total))
    low, high = map(float, interval.rstrip(")").split(" to "))
    narrow = [100 * end for end in metric.interval(total)]
    assert low < narrow[0] < narrow[1] < high  # both seeds meet the same images


def test_runs_without_interference_have_no_such_table(tmp_path: Path) -> None:
    run = run_of(tmp_path, None)
    assert interference_tables([run]) == []
    assert interference_section([run]) == ([], {})
