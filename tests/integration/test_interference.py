"""Links that disturb each other, in processes: one digest, whoever is killed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.results.run_folder import open_ledger
from tests.integration.harness import (
    command,
    results_digest,
    start_held_sweep,
    start_sweep,
    write_scenario,
)
from tests.integration.pair_place import place_of_pair

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

LINKS = ("east", "north", "west")
POINTS, FRAMES = 4, 10  # of a link, of a point
MEETING = {
    "links": {name: {"dataset": "shapes10", "codec": "single"} for name in LINKS},
    "groups": {"cell": {"kind": "interference", "links": [*LINKS]}},
    "interference": {"sir_db": [0, 10, 20], "interferers": [0, 2]},
    "channels": [{"model": "rayleigh"}],
    "snr_db": [10],
    "images": 100,
    "frame_images": 10,
}


@pytest.fixture(scope="module")
def place(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with drawn images, and a codec for a link by itself whose family is installed."""
    with place_of_pair(tmp_path_factory.mktemp("meeting"), workplace) as folder:
        yield folder


@pytest.fixture(scope="module")
def undisturbed(place: Path) -> Path:
    scenario = write_scenario(place / "s.yaml", **MEETING)
    start_sweep(scenario, place / "run", workplace=place).finish()
    return place / "run"


def test_interference_costs_what_its_sir_says_and_columns_say_which(undisturbed: Path) -> None:
    header, *lines = (undisturbed / "results.csv").read_text().splitlines()
    rows = [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]
    assert len(rows) == len(LINKS) * POINTS
    psnr_db = {
        (row["interferers"], row["sir_db"]): float(row["psnr"])
        for row in rows
        if row["link"] == "north"
    }
    assert psnr_db["2", "0"] < psnr_db["2", "10"] < psnr_db["2", "20"] < psnr_db["0", ""]
    assert "rayleigh interferers=2 sir=10" in {row["channel"] for row in rows}
    with open_ledger(undisturbed) as ledger:
        assert len(list(ledger.rows())) == len(LINKS) * POINTS * FRAMES


def test_link_that_meets_nobody_is_a_plain_link(undisturbed: Path, place: Path) -> None:
    plain = {**MEETING, "links": {"east": MEETING["links"]["east"]}}  # type: ignore[index]
    scenario = {key: plain[key] for key in plain if key not in ("groups", "interference")}
    out = place / "plain"
    code, printed = command(
        "evaluate", "--scenario", write_scenario(place / "p.yaml", **scenario), "--out", out,
        cwd=place,
    )  # fmt: skip
    assert code == 0, printed

    def answers(folder: Path) -> list[bytes]:
        with open_ledger(folder) as ledger:
            return [
                bytes(row.answer)
                for row in ledger.rows()
                if row.link == "east" and ledger.plan.points[row.point].spec.interference is None
            ]

    assert answers(out) == answers(undisturbed) != []


def test_evaluation_in_one_process_gives_the_same_digest(undisturbed: Path, place: Path) -> None:
    words = ("evaluate", "--scenario", place / "s.yaml", "--out", place / "evaluated")
    code, printed = command(*words, cwd=place)
    assert code == 0, printed
    assert results_digest(place / "evaluated") == results_digest(undisturbed)


@pytest.mark.parametrize("victim", ["west", "channel", "receiver-1"])
def test_killing_a_process_changes_no_answer(
    victim: str, undisturbed: Path, place: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **MEETING, receivers=2)
    run = start_held_sweep(scenario, tmp_path / "run", workplace=place, link="east", frames=16)
    run.wait_recorded(8, "east")
    before = run.pid(victim)
    run.kill(victim)
    assert run.recorded("east") < POINTS * FRAMES
    run.finish()
    assert run.pid(victim) != before, "the process was not started again"
    assert results_digest(tmp_path / "run") == results_digest(undisturbed)
