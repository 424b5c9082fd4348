"""A rate by SNR in processes: the table decides, whatever is killed, and both ends agree."""

from __future__ import annotations

import csv
import json
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.integration.harness import (
    command,
    eventually,
    results_digest,
    start_held_sweep,
    write_scenario,
)
from tests.integration.live_system import start_live, write_live_scenario

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

LINK, CODEC, LENGTHS = "shapes10", "shapes10-nested", (6, 12, 25, 51)
STEPS = [{"snr_db": -5, "increments": 3}, {"snr_db": 10, "increments": 1}]
BY_SNR = {-10: 51, -5: 25, 15: 6}  # symbols
SWEPT = {
    "links": {LINK: {"dataset": "shapes10", "codec": CODEC}},
    "increments": ["snr", 1, 3],
    "snr_db": [-10, -5, 15],
    "images": 100,
    "frame_images": 10,
}
FRAMES, POINTS = 10, 2 * 3 * 3


@pytest.fixture(scope="module")
def place(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a codec that has a table, and the data sets."""
    folder = tmp_path_factory.mktemp("rates")
    (folder / "data").symlink_to(workplace / "data")
    shutil.copytree(workplace / "codecs", folder / "codecs", symlinks=False)
    manifest = folder / "codecs" / CODEC / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps(content | {"snr_rates": {"steps": STEPS}}))
    return folder


@pytest.fixture(scope="module")
def evaluated(place: Path) -> Path:
    """The answers in one process."""
    scenario = write_scenario(place / "s.yaml", **SWEPT)
    code, printed = command("evaluate", "--scenario", scenario, "--out", "run", cwd=place)
    assert code == 0, printed
    return place / "run"


def rows_of(run: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    """Results by model, rate and SNR."""
    with (run / "results.csv").open() as file:
        return {
            (*row["channel"].split(" "), row["snr_db"]): row  # type: ignore[misc]
            for row in csv.DictReader(file)
        }


def test_rate_by_snr_gives_the_answers_of_the_number_in_the_table(evaluated: Path) -> None:
    rows = rows_of(evaluated)
    assert len(rows) == POINTS
    for (model, rate, snr_db), row in rows.items():
        if rate == "increments=snr":
            assert float(row["mean_symbols"]) == BY_SNR[int(snr_db)]
            number = LENGTHS.index(BY_SNR[int(snr_db)]) + 1
            same = rows.get((model, f"increments={number}", snr_db))
            assert same is None or same["correct"] == row["correct"]


@pytest.mark.parametrize("victim", ["shapes10", "channel", "receiver-1"])
def test_killing_a_process_changes_no_answer_and_no_symbol(
    victim: str, evaluated: Path, place: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **SWEPT, receivers=2)
    run = start_held_sweep(scenario, tmp_path / "run", workplace=place, link=LINK, frames=95)
    run.wait_recorded(85)
    run.kill(victim)
    assert run.recorded() < POINTS * FRAMES
    run.finish()
    assert results_digest(tmp_path / "run") == results_digest(evaluated)
    code, printed = command("verify", tmp_path / "run", "--data", "data", cwd=place)
    assert code == 0, printed


def test_verify_refuses_increments_that_the_table_does_not_give(
    evaluated: Path, place: Path, tmp_path: Path
) -> None:
    forged = shutil.copytree(evaluated, tmp_path / "run")
    with sqlite3.connect(forged / "ledger.sqlite") as database:
        assert database.execute(
            "UPDATE frames SET answer = (SELECT answer FROM frames WHERE point = 1 AND frame = 0),"
            " score = (SELECT score FROM frames WHERE point = 1 AND frame = 0)"
            " WHERE point = 2 AND frame = 0"
        ).rowcount
    code, printed = command("verify", forged, cwd=place)
    assert code != 0
    assert "has images of other than 1 increments, which its point asks for" in printed


def test_codec_without_a_table_is_refused_in_one_line(workplace: Path, tmp_path: Path) -> None:
    links = {LINK: {"dataset": "shapes10", "codec": "no-table"}}
    codecs = tmp_path / "codecs"
    shutil.copytree(workplace / "codecs" / CODEC, codecs / "no-table")
    manifest = codecs / "no-table" / "manifest.json"
    content = json.loads(manifest.read_text())
    content.pop("snr_rates", None)
    manifest.write_text(json.dumps(content))
    scenario = write_scenario(tmp_path / "s.yaml", **{**SWEPT, "links": links})
    code, printed = command(
        "evaluate", "--scenario", scenario, "--codecs", codecs, "--out", tmp_path / "run",
        cwd=workplace,
    )  # fmt: skip
    assert code == 2
    assert "no-table has no table of increments by SNR; make it with: semcom" in printed


def test_table_of_a_plan_is_pinned_and_another_table_is_another_plan(
    evaluated: Path, place: Path, tmp_path: Path
) -> None:
    codecs = shutil.copytree(place / "codecs", tmp_path / "codecs")
    manifest = codecs / CODEC / "manifest.json"
    content = json.loads(manifest.read_text())
    content["snr_rates"] = {"steps": [{"snr_db": 0, "increments": 1}]}
    manifest.write_text(json.dumps(content))
    run = shutil.copytree(evaluated, tmp_path / "run")
    code, printed = command(
        "evaluate", "--scenario", place / "s.yaml", "--codecs", codecs, "--out", run, "--resume",
        cwd=place,
    )  # fmt: skip
    assert code == 2, printed
    assert "Traceback" not in printed


def test_number_follows_the_snr_of_a_live_link(place: Path, tmp_path: Path) -> None:
    for name in ("data", "codecs"):
        (tmp_path / name).symlink_to(place / name)
    link = {
        "dataset": "shapes10", "codec": CODEC, "frame_images": 5, "rate_hz": 10,
        "increments": "snr",
        "course": {"kind": "steps", "snr_db": [-5, 15], "hold_s": 2},
    }  # fmt: skip
    run = start_live(
        write_live_scenario(tmp_path / "l.yaml", links={LINK: link}), workplace=tmp_path
    )
    run.wait_for_frames()
    seen: set[str] = set()

    def both_seen() -> bool:
        code, answer = run.ask(f"/api/item?link={LINK}")
        if code == 200 and answer.get("agrees"):
            seen.add(str(answer["channel"]))
        return seen == {"awgn increments=3", "awgn increments=1"}

    eventually(both_seen, "items of both SNRs, each with the increments of the table")
    run.balanced()
    printed = run.end()
    assert run.process.returncode == 0, printed
