"""Ordered codewords in processes: rounds and their symbols, whatever is killed."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from tests.integration.harness import (
    command,
    eventually,
    results_digest,
    start_held_sweep,
    start_sweep,
    write_scenario,
)
from tests.integration.live_system import start_live, write_live_scenario

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

LINK, LENGTHS = "shapes10", (6, 12, 25, 51)
RATES = ["increments=1", "increments=4", "confidence=0.9"]
FRAMES, POINTS = 10, 2 * 2 * len(RATES)
SWEPT = {
    "links": {LINK: {"dataset": "shapes10", "codec": "shapes10-nested"}},
    "increments": [1, 4, {"confidence": 0.9}],
    "snr_db": [-5, 15],
    "images": 100,
    "frame_images": 10,
}


@pytest.fixture(scope="module")
def evaluated(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The answers in one process."""
    folder = tmp_path_factory.mktemp("increments")
    scenario = write_scenario(folder / "s.yaml", **SWEPT)
    code, printed = command(
        "evaluate", "--scenario", scenario, "--out", folder / "run", cwd=workplace
    )
    assert code == 0, printed
    return folder / "run"


def test_symbols_follow_the_rate(evaluated: Path) -> None:
    with (evaluated / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == POINTS
    symbols = {
        (row["channel"].partition(" ")[2], row["channel"].split()[0], row["snr_db"]): float(
            row["mean_symbols"]
        )
        for row in rows
    }
    for (rate, _, _), mean in symbols.items():
        if rate == "increments=1":
            assert mean == LENGTHS[0]
        elif rate == "increments=4":
            assert mean == LENGTHS[-1]
        else:
            assert LENGTHS[0] < mean < LENGTHS[-1]
    assert symbols[RATES[2], "awgn", "15"] < symbols[RATES[2], "awgn", "-5"]
    correct = {
        rate: sum(int(row["correct"]) for row in rows if row["channel"].endswith(rate))
        for rate in RATES
    }
    assert correct["increments=1"] < correct["confidence=0.9"]


@pytest.mark.parametrize("victim", ["shapes10", "channel", "receiver-1"])
def test_killing_a_process_changes_no_answer_and_no_symbol(
    victim: str, evaluated: Path, workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **SWEPT, receivers=2)
    run = start_held_sweep(scenario, tmp_path / "run", workplace=workplace, link=LINK, frames=95)
    run.wait_recorded(85)
    run.kill(victim)
    assert run.recorded() < POINTS * FRAMES
    run.finish()
    assert results_digest(tmp_path / "run") == results_digest(evaluated)
    code, printed = command("verify", tmp_path / "run", cwd=workplace)
    assert code == 0, printed


def test_codec_of_one_length_has_no_increments(workplace: Path, tmp_path: Path) -> None:
    links = {LINK: {"dataset": "shapes10", "codec": "shapes10"}}
    scenario = write_scenario(tmp_path / "s.yaml", **{**SWEPT, "links": links})
    code, printed = command(
        "evaluate", "--scenario", scenario, "--out", tmp_path / "run", cwd=workplace
    )
    assert code == 2
    assert "has codewords of one length; omit increments" in printed


def test_increments_beyond_those_of_the_codec_are_refused(workplace: Path, tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **{**SWEPT, "increments": [5]})
    code, printed = command(
        "evaluate", "--scenario", scenario, "--out", tmp_path / "run", cwd=workplace
    )
    assert code == 2
    assert "has 4 increments, but increments lists 5" in printed


def test_window_of_one_frame_changes_nothing(
    evaluated: Path, workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **SWEPT, window=1, receivers=1)
    start_sweep(scenario, tmp_path / "run", workplace=workplace).finish()
    assert results_digest(tmp_path / "run") == results_digest(evaluated)


def test_link_of_a_live_system_sends_until_it_is_confident(workplace: Path, tmp_path: Path) -> None:
    (tmp_path / "data").symlink_to(workplace / "data")
    (tmp_path / "codecs").symlink_to(workplace / "codecs")
    link = {
        "dataset": "shapes10", "codec": "shapes10-nested", "frame_images": 5, "rate_hz": 10,
        "increments": {"confidence": 0.9}, "course": {"kind": "constant", "snr_db": -5},
    }  # fmt: skip
    run = start_live(
        write_live_scenario(tmp_path / "l.yaml", links={LINK: link}), workplace=tmp_path
    )
    run.wait_for_frames()
    run.logs.kill("receiver-1")
    run.wait_for_frames(20)

    def agrees() -> bool:
        code, answer = run.ask(f"/api/item?link={LINK}")
        return code == 200 and bool(answer.get("agrees"))

    eventually(agrees, "an item that is recomputed as it was answered")
    run.balanced()
    printed = run.end()
    assert run.process.returncode == 0, printed
    assert "Traceback" not in printed
