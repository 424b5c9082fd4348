"""Groups of a live system with real processes: late links, changes, kills, items and a sweep."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration import harness
from tests.integration.harness import command, eventually, results_digest, write_scenario
from tests.integration.live_system import LiveRun, start_live, write_live_scenario
from tests.integration.pages import metric
from tests.integration.pair_place import place_of_pair

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

CELL, STREET = ("east", "west"), ("north", "south")
GROUPS = {
    "cell": {"links": ["west", "east"], "powers": {"east": 0.6, "west": 0.4}},
    "street": {"kind": "interference", "links": [*STREET]},
}


def links(**of_codecs: str) -> dict[str, dict[str, object]]:
    return {
        name: {"dataset": "shapes10", "codec": codec, "rate_hz": 5, "frame_images": 5}
        for name, codec in of_codecs.items()
    }


LIVE: dict[str, object] = {
    "engine": "torch",
    "receiver_engine": "torch",
    "links": links(east="pair", west="pair", north="single", south="single"),
    "groups": GROUPS,
    "interference": {"sir_db": 10},
}


@pytest.fixture(scope="module")
def place(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A workplace with codecs for one link and for two that meet; their family is installed."""
    with place_of_pair(tmp_path_factory.mktemp("live-groups"), workplace) as folder:
        yield folder


@pytest.fixture(scope="module")
def live(place: Path) -> Iterator[LiveRun]:
    """One system for all tests here: it takes long to start."""
    run = start_live(write_live_scenario(place / "live.yaml", **LIVE), workplace=place)
    harness.started.remove(run.process)  # it outlives a test, and ends here
    try:
        run.wait_for_frames()
        yield run
    finally:
        printed = run.end()
    assert run.process.returncode == 0, printed
    assert "Traceback" not in printed


def test_status_says_whom_a_link_meets_and_how(live: LiveRun) -> None:
    rows = live.balanced()
    assert {name: row["group"]["name"] for name, row in rows.items()} == {
        "east": "cell", "west": "cell", "north": "street", "south": "street",
    }  # fmt: skip
    assert rows["west"]["group"]["powers"] == {"east": 0.6, "west": 0.4}
    assert rows["north"]["group"]["interference"]["sir_db"] == 10
    assert rows["north"]["task"] == "reconstruction"


@pytest.mark.parametrize("link", ["west", "south"])
def test_item_of_a_frame_that_met_others_is_what_was_answered(live: LiveRun, link: str) -> None:
    def agrees() -> bool:
        code, item = live.ask(f"/api/item?link={link}")
        return code == 200 and item["agrees"] and bool(item["picture"] and item["answer_picture"])

    eventually(agrees, "an item as it was answered", 120.0)


def test_interference_changes_while_it_streams(live: LiveRun) -> None:
    def psnr_db() -> float:
        return float(live.links()["north"]["window"]["value"] or 0.0)

    before = psnr_db()
    words = ("channel", "set", "south", "--sir-db", "-20")
    code, printed = live.command(*words, "--occurrence", "1")
    assert code == 0, printed
    live.wait(lambda rows: rows["north"]["group"]["interference"]["sir_db"] == -20, "the SIR")
    eventually(lambda: psnr_db() < before - 4, "worse images of the other link, too")
    worse = psnr_db()  # of this window of images; one that met nobody may be below `before`
    assert any("SIR -20 dB" in it["what"] for it in live.links()["north"]["changes"])
    assert live.command("channel", "set", "street", "--interferers", "0")[0] == 0
    eventually(lambda: psnr_db() > worse + 2, "images without interferers")
    assert live.command("channel", "set", "street", "--sir-db", "10", "--interferers", "1")[0] == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("channel", "set", "north", "--interferers", "2"), "a link meets at most 1"),
        (("channel", "set", "east", "--sir-db", "3"), "superposed"),
        (("codec", "set", "east", "pair"), "in group cell, whose links have one codec"),
        (
            ("channel", "set", "north", "--model", "jakes"),
            "does not define the channel of interferers",
        ),
    ],
)
def test_change_that_makes_no_sense_is_one_line(
    live: LiveRun, words: tuple[str, ...], said: str
) -> None:
    code, printed = live.command(*words)
    assert (code, said in " ".join(printed.split())) == (2, True), printed


def test_group_goes_on_without_a_link_that_stands_still_and_counts_it(live: LiveRun) -> None:
    before = live.links()["east"]["absent"].get("west", 0)
    os.kill(live.logs.pid("west"), signal.SIGSTOP)
    try:
        live.wait(
            lambda rows: rows["east"]["absent"].get("west", 0) >= before + 5,
            "frames that are answered without the link",
        )
        eventually(
            lambda: metric(live.logs, "channel", "semcom_slots_absent_total", link="west") >= 5,
            "the channel's count of slots without the link",
        )
    finally:
        os.kill(live.logs.pid("west"), signal.SIGCONT)
    live.wait_for_frames()
    rows = live.balanced()
    assert rows["east"]["incomplete"] >= before + 5
    code, printed = live.command("status")
    assert (code, "answered without" in printed) == (0, True), printed


def test_killed_member_channel_and_receiver_lose_no_frame_unaccounted(live: LiveRun) -> None:
    before = {peer: live.logs.pid(peer) for peer in ("west", "south", "channel", "receiver-1")}
    for peer in before:
        live.logs.kill(peer)
        live.wait(lambda rows: rows["north"]["unaccounted"] == 0, "an answer")
    live.wait_for_frames(10)
    assert all(live.logs.pid(peer) != pid for peer, pid in before.items())
    rows = live.balanced()
    assert {name: row["failure"] for name, row in rows.items()} == dict.fromkeys(rows, "")


def test_sweep_of_a_group_in_between_has_the_digest_of_one_process(
    live: LiveRun, place: Path
) -> None:
    scenario = write_scenario(
        place / "s.yaml",
        links={name: {"dataset": "shapes10", "codec": "pair"} for name in CELL},
        groups={"cell": GROUPS["cell"]},
        engine="torch",
        snr_db=[0, 10],
        images=40,
        frame_images=10,
    )
    code, printed = live.command("sweep", scenario, "--live", "--no-report")
    assert code == 0, printed
    live.wait_for_frames()
    live.balanced()
    out = place / "evaluated"
    code, printed = command("evaluate", "--scenario", scenario, "--out", out, cwd=place)
    assert code == 0, printed
    assert results_digest(place / "runs" / "disturbed") == results_digest(out)
