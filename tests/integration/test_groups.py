"""Links whose frames meet, in processes: one digest, whoever is killed and whatever comes late."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchestrator.results.run_folder import open_ledger
from tests.integration.harness import (
    Run,
    command,
    eventually,
    results_digest,
    start_held_sweep,
    start_sweep,
    write_scenario,
)
from tests.integration.pages import metric
from tests.integration.pair_place import place_of_pair
from tests.semcom.families.semnoma_codec import DIFFUSION, make_codec

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

FRAMES = 4 * 20  # of a link
PAIR = {
    "links": {name: {"dataset": "shapes10", "codec": "pair"} for name in ("east", "west")},
    "groups": {"cell": {"links": ["west", "east"], "powers": {"east": 0.6, "west": 0.4}}},
    "snr_db": [0, 10],
    "images": 100,
}


@pytest.fixture(scope="module")
def place(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with drawn images, and a codec for two links whose family is installed."""
    with place_of_pair(tmp_path_factory.mktemp("pair"), workplace) as folder:
        yield folder


@pytest.fixture(scope="module")
def undisturbed(place: Path) -> Path:
    start_sweep(write_scenario(place / "s.yaml", **PAIR), place / "run", workplace=place).finish()
    return place / "run"


@pytest.fixture
def disturb(place: Path, tmp_path: Path) -> Callable[..., Run]:
    """Starts a sweep, waits until some of it is done; at two fifths of it all stand still."""

    def start(**changes: object) -> Run:
        scenario = write_scenario(tmp_path / "s.yaml", **{**PAIR, **changes})
        run = start_held_sweep(
            scenario, tmp_path / "run", workplace=place, link="east", frames=2 * FRAMES // 5
        )
        run.wait_recorded(FRAMES // 5, "east")
        return run

    return start


def test_each_link_has_every_frame_and_images_of_its_own(undisturbed: Path, place: Path) -> None:
    with open_ledger(undisturbed) as ledger:
        rows = list(ledger.rows())
        assert {name: link.offset for name, link in ledger.plan.links.items()} == {
            "east": 0, "west": 50,
        }  # fmt: skip
    frames = {(row.link, row.point, row.frame) for row in rows}
    assert len(frames) == len(rows) == 2 * FRAMES
    code, printed = command("verify", undisturbed, "--data", place / "data", cwd=place)
    assert code == 0, printed


def test_evaluation_in_one_process_gives_the_same_digest(undisturbed: Path, place: Path) -> None:
    words = ("evaluate", "--scenario", place / "s.yaml", "--out", place / "evaluated")
    code, printed = command(*words, cwd=place)
    assert code == 0, printed
    assert results_digest(place / "evaluated") == results_digest(undisturbed)


@pytest.mark.parametrize("victim", ["west", "channel", "receiver-1"])
def test_killing_a_process_changes_no_answer(
    victim: str, undisturbed: Path, disturb: Callable[..., Run], place: Path, tmp_path: Path
) -> None:
    run = disturb(receivers=2 if victim == "receiver-1" else 1)
    before = run.pid(victim)
    run.kill(victim)
    assert run.recorded("east") < FRAMES
    run.finish()
    if victim != "receiver-1":  # the other receiver may answer all before it is there again
        assert run.pid(victim) != before, "the process was not started again"
    assert results_digest(tmp_path / "run") == results_digest(undisturbed)


def test_all_processes_killed_or_stopped_with_keys_and_two_receivers_change_no_answer(
    undisturbed: Path, place: Path, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    scenario = write_scenario(tmp_path / "s.yaml", **PAIR, receivers=2)
    code, printed = command("keys", keys, "--scenario", scenario, cwd=place)
    assert code == 0, printed
    secured = {**PAIR, "receivers": 2, "security": {"keys": str(keys)}}
    write_scenario(scenario, **secured)
    run = start_held_sweep(
        scenario, tmp_path / "run", workplace=place, link="east", frames=2 * FRAMES // 5
    )
    run.wait_recorded(FRAMES // 5, "east")
    still = run.pid("receiver-2")
    os.kill(still, signal.SIGSTOP)
    try:
        for victim in ("west", "channel", "receiver-1", "east"):
            run.kill(victim)
        run.process.stdin.close()  # type: ignore[union-attr]
        run.process.stdin = None
        recorded = run.recorded()
        run.wait_recorded(recorded + 1)  # by the receiver that was started again
    finally:
        os.kill(still, signal.SIGCONT)
    run.finish()
    assert results_digest(tmp_path / "run") == results_digest(undisturbed)


def test_killed_orchestrator_goes_on_with_other_windows(
    undisturbed: Path, disturb: Callable[..., Run], place: Path, tmp_path: Path
) -> None:
    run = disturb()
    run.process.kill()
    run.process.communicate()
    scenario = write_scenario(tmp_path / "s.yaml", **PAIR, window=1)
    resumed = start_sweep(scenario, tmp_path / "run", "--resume", workplace=place)
    resumed.finish()
    assert results_digest(tmp_path / "run") == results_digest(undisturbed)


def test_link_that_stands_still_holds_up_its_group_visibly(
    undisturbed: Path, disturb: Callable[..., Run], tmp_path: Path
) -> None:
    run = disturb()
    os.kill(run.pid("west"), signal.SIGSTOP)
    try:
        run.process.stdin.close()  # type: ignore[union-attr]
        run.process.stdin = None
        eventually(
            lambda: metric(run, "channel", "semcom_slots_waiting", link="west") > 0,
            "slots that wait for the link",
        )
        recorded = run.recorded()
    finally:
        os.kill(run.pid("west"), signal.SIGCONT)
    assert recorded < 2 * FRAMES
    run.finish()
    assert results_digest(tmp_path / "run") == results_digest(undisturbed)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"groups": {}}, "serves 2 links that meet in a group, it is in no group"),
        ({"groups": {"east": PAIR["groups"]["cell"]}}, "group east has the name of a link"),
        ({"groups": {"cell": {"links": ["east", "north"]}}}, "north is not a link"),
        ({"groups": {"cell": {"links": ["east", "east"]}}}, "contains a name twice"),
    ],
)  # fmt: skip
def test_groups_that_cannot_be_meant_are_one_line(
    changes: dict[str, object], said: str, place: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **{**PAIR, **changes})
    code, printed = command("sweep", scenario, "--out", tmp_path / "run", cwd=place)
    assert code == 2, printed
    assert said in printed
    assert not (tmp_path / "run").exists()


def test_codec_of_one_link_serves_no_group(workplace: Path, tmp_path: Path) -> None:
    links = {name: {"dataset": "shapes10", "codec": "shapes10"} for name in ("east", "west")}
    scenario = write_scenario(tmp_path / "s.yaml", links=links, groups=PAIR["groups"])
    code, printed = command("sweep", scenario, "--out", tmp_path / "run", cwd=workplace)
    assert code == 2, printed
    assert "serves a single link, it is in a group of 2" in printed
    shutil.rmtree(tmp_path / "run", ignore_errors=True)


def test_codec_of_semnoma_serves_a_group_in_processes_and_in_one(
    workplace: Path, tmp_path: Path
) -> None:
    (tmp_path / "data").symlink_to(workplace / "data")
    make_codec(tmp_path / "codecs" / "pair", item=(32, 32, 3))
    small = {**PAIR, "engine": "torch", "channels": [{"model": "rayleigh"}], "snr_db": [5]}
    scenario = write_scenario(tmp_path / "s.yaml", **{**small, "images": 40})
    start_sweep(scenario, tmp_path / "run", workplace=tmp_path).finish()
    words = ("evaluate", "--scenario", scenario, "--out", tmp_path / "evaluated")
    code, printed = command(*words, cwd=tmp_path)
    assert code == 0, printed
    assert results_digest(tmp_path / "evaluated") == results_digest(tmp_path / "run")
    edge = write_scenario(tmp_path / "edge.yaml", **{**small, "receiver_engine": "onnxruntime"})
    code, printed = command("sweep", edge, "--out", tmp_path / "edge", cwd=tmp_path)
    assert code == 2, printed
    assert "set receiver_engine: torch" in printed


def test_refined_images_are_those_of_one_process_byte_for_byte(
    workplace: Path, tmp_path: Path
) -> None:
    """Their noise is the items' own, whatever receiver decodes them, when, and how often."""
    (tmp_path / "data").symlink_to(workplace / "data")
    for name, users in (("pair", 2), ("single", 1)):
        codec = tmp_path / "codecs" / name
        make_codec(codec, item=(32, 32, 3), users=users, refinement=DIFFUSION)
    links = {name: {"dataset": "shapes10", "codec": "pair"} for name in ("east", "west")}
    links["alone"] = {"dataset": "shapes10", "codec": "single"}
    refined = {**PAIR, "links": links, "engine": "torch", "snr_db": [0, 12], "images": 10}
    refined |= {"frame_images": 5, "keep_answers": True, "seeds": [0, 1]}
    refined |= {"channels": [{"model": "rayleigh"}]}
    scenario = write_scenario(tmp_path / "s.yaml", **refined, receivers=2)
    run = start_sweep(scenario, tmp_path / "run", workplace=tmp_path)
    run.wait_recorded(2, "east")
    run.kill("receiver-1")
    run.finish()
    words = ("evaluate", "--scenario", scenario, "--out", tmp_path / "evaluated")
    code, printed = command(*words, cwd=tmp_path)
    assert code == 0, printed
    assert results_digest(tmp_path / "evaluated") == results_digest(tmp_path / "run")
    run_images, images = (answers_of(tmp_path / each) for each in ("run", "evaluated"))
    assert run_images == images
    assert len(set(images.values())) == len(images) == 3 * 2 * 2 * 2


def answers_of(folder: Path) -> dict[str, bytes]:
    """Every answer as it was kept, by its path."""
    files = (folder / "answers").rglob("*")
    return {str(each.relative_to(folder)): each.read_bytes() for each in files if each.is_file()}
