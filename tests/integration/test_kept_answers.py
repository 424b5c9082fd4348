"""`keep_answers: true`: every answer as a file, from processes and from one process alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import rkd_sc
from orchestrator.results.run_folder import open_ledger
from semcom.errors import AccountingError, ConfigurationError
from semcom.kept_answers import FOLDER, answer_path
from semcom.tasks.reconstruction import mean_squared_errors, psnr_db
from tests.integration.harness import command, start_held_sweep, write_scenario
from tests.integration.pair_place import place_of_pair
from tests.integration.test_groups import PAIR

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

KEPT = {**PAIR, "keep_answers": True, "snr_db": [5]}


@pytest.fixture(scope="module")
def place(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with place_of_pair(tmp_path_factory.mktemp("kept"), workplace) as folder:
        yield folder


@pytest.fixture(scope="module")
def swept(place: Path) -> Path:
    """A sweep whose transmitter was killed once."""
    scenario, folder = write_scenario(place / "s.yaml", **KEPT), place / "run"
    run = start_held_sweep(scenario, folder, workplace=place, link="east", frames=20)
    run.wait_recorded(10, "east")
    run.kill("east")
    run.finish()
    return folder


def files_of(run: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(run / FOLDER)): path.read_bytes()
        for path in (run / FOLDER).rglob("*.bin")
    }


def test_every_recorded_frame_has_its_answer(swept: Path, place: Path) -> None:
    with open_ledger(swept) as ledger:
        assert len(files_of(swept)) == ledger.plan.total_frames
    code, printed = command("verify", swept, cwd=place)
    assert code == 0, printed
    assert "every kept answer equals the recorded one" in printed


def test_one_process_keeps_the_same_answers(swept: Path, place: Path) -> None:
    words = ("evaluate", "--scenario", place / "s.yaml", "--out", place / "evaluated")
    code, printed = command(*words, cwd=place)
    assert code == 0, printed
    assert files_of(place / "evaluated") == files_of(swept)


def test_answers_come_in_the_order_in_which_the_link_sent_its_items(
    swept: Path, place: Path
) -> None:
    run = rkd_sc.load_run(swept)
    shard = np.load(place / "data" / "shapes10" / "test" / "images.npy", mmap_mode="r")
    first_point = [result for result in run.results if result.channel == "awgn"]
    assert [result.link for result in first_point] == ["east", "west"]
    for result in first_point:
        images = run.answers(result.link, 0)
        assert images.shape == (100, 32, 32, 3)
        sent = np.roll(shard[:100], -run.plan.links[result.link].offset, axis=0)
        values = psnr_db(mean_squared_errors(images, sent))
        assert values.mean() == pytest.approx(result.values["psnr"], abs=1e-3)


def test_altered_or_missing_answer_is_found(swept: Path, tmp_path: Path, place: Path) -> None:
    path = answer_path(swept / FOLDER, link="west", point=1, frame=3)
    content = path.read_bytes()
    try:
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        code, printed = command("verify", swept, cwd=place)
        assert code == 8
        assert "holds an answer that differs from the recorded one" in printed
        with pytest.raises(AccountingError, match="holds an answer that differs"):
            rkd_sc.load_run(swept).answers("west", 1)
        path.unlink()
        with pytest.raises(AccountingError, match="does not exist"):
            rkd_sc.load_run(swept).verify()
    finally:
        path.write_bytes(content)


def test_run_that_kept_none_says_how_to(swept: Path, place: Path) -> None:
    kept = swept / FOLDER
    kept.rename(swept / "elsewhere")
    try:
        with pytest.raises(ConfigurationError, match="keep_answers: true"):
            rkd_sc.load_run(swept).answers("east", 0)
        code, printed = command("verify", swept, cwd=place)
        assert code == 0, "nothing was promised"
        assert "kept answer" not in printed
    finally:
        (swept / "elsewhere").rename(kept)


def test_processes_elsewhere_keep_answers_where_they_are(place: Path, tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **KEPT, ports={"control": 5990})
    words = ("sweep", scenario, "--no-launch", "--out", tmp_path / "run")
    code, printed = command(*words, cwd=place)
    assert code == 2
    assert "answers_dir" in printed
