"""A sweep that gets every image right, in folders with awkward names."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from tests.integration.harness import REPO, command, write_scenario

CASES = REPO.parent / "shared" / "cases" / "scenarios"
pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


def own(path: Path) -> Path:
    """Ten images of the shipped codec at SNRs where all or nearly all are right."""
    return write_scenario(
        path / "every [bold] image's.yaml",
        name="tiny",
        links={"a": {"dataset": "shapes10", "codec": "shapes10"}},
        channels=[{"model": "awgn"}],
        snr_db=[15, 20],
        images=10,
        frame_images=10,
    )


@pytest.mark.parametrize(
    "case",
    [
        "",
        pytest.param(
            "every-image-right.yaml",
            marks=pytest.mark.skipif(
                not CASES.exists(), reason="the inputs that failed are not there: shared/cases"
            ),
        ),
    ],
    ids=["own", "case"],
)
def test_a_sweep_that_gets_every_image_right_is_drawn_and_verified(
    case: str, workplace: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "[bold] runs" / "a 'run' [x]"
    folder.parent.mkdir()
    scenario = CASES / case if case else own(tmp_path)
    code, printed = command("sweep", scenario, "--out", folder, cwd=workplace)
    assert code == 0, printed
    assert f"report: {folder / 'report.html'}\n" in printed
    assert (folder / "accuracy.png").exists()
    with (folder / "results.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["correct"] == row["images"]]
    assert rows
    assert {row["ci95_high"] for row in rows} == {"1.000000"}
    code, printed = command("verify", folder, cwd=workplace)
    assert code == 0, printed
    assert re.search(rf"^{re.escape(str(folder))}: 2 frames and 20 items", printed)
