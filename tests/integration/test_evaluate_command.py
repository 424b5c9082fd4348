"""`semcom evaluate` gives what a sweep through the processes gives: the same answer to every image.

This is what makes figures that need no processes worth trusting.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.integration.harness import command, start_sweep, write_scenario

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

OF_A_LINK = (
    "round_trip_p50_ms", "round_trip_p99_ms", "encode_ms", "channel_ms", "decode_ms",
    "retransmissions",
)  # fmt: skip


@pytest.fixture(scope="module")
def scenario(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One link, two channels, two SNRs, two seeds; the last frame is a short one."""
    return write_scenario(
        tmp_path_factory.mktemp("scenario") / "s.yaml",
        links={"edge": {"dataset": "shapes10", "codec": "shapes10"}},
        channels=[
            {"model": "awgn"},
            {"model": "rician", "csi": "mismatch", "csi_error_variance": 0.1, "equalizer": "mmse"},
        ],
        snr_db=[-7.5, 5],
        seeds=[0, 3],
        images=90,
        frame_images=40,
    )


@pytest.fixture(scope="module")
def swept(scenario: Path, workplace: Path) -> Path:
    folder = scenario.parent / "swept"
    start_sweep(scenario, folder, workplace=workplace).finish()
    return folder


@pytest.fixture(scope="module")
def evaluated(scenario: Path, workplace: Path) -> Path:
    folder = scenario.parent / "evaluated"
    code, printed = command("evaluate", "--scenario", scenario, "--out", folder, cwd=workplace)
    assert code == 0, printed
    return folder


def rows(folder: Path) -> list[dict[str, str]]:
    """`results.csv` without what only a link has."""
    with (folder / "results.csv").open(newline="") as file:
        return [
            {key: value for key, value in row.items() if key not in OF_A_LINK}
            for row in csv.DictReader(file)
        ]


def manifest(folder: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    return found


def test_accuracies_are_exactly_those_of_the_processes(swept: Path, evaluated: Path) -> None:
    assert len(rows(swept)) == 8
    assert rows(evaluated) == rows(swept)
    assert len({row["correct"] for row in rows(swept)}) > 1


def test_every_answer_is_that_of_the_processes(swept: Path, evaluated: Path) -> None:
    for key in ("plan_digest", "results_digest", "links", "codecs"):
        assert manifest(evaluated)[key] == manifest(swept)[key], key


def test_both_are_reported_as_one(swept: Path, evaluated: Path, workplace: Path) -> None:
    code, printed = command("report", swept, evaluated, "--markdown", cwd=workplace)
    assert code == 0, printed
    assert "RKD-SC, AWGN | RKD-SC, Rician k=4 mismatch=0.1 mmse" in printed
    assert "2 channel seeds" in printed
