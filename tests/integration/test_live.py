"""`semcom up` with real processes: streaming, changes, kills, a sweep in between, the end."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.by_hand import Starter, write_process_file
from tests.integration.harness import (
    command,
    ended,
    eventually,
    results_digest,
    start,
    write_scenario,
)
from tests.integration.live_system import LiveRun, start_live, write_live_scenario
from tests.integration.second_codec import make_second

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

SMALL: dict[str, object] = {"images": 100, "frame_images": 20, "snr_db": [0, 10]}


@pytest.fixture(scope="module")
def place(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workplace with runs and codecs of its own."""
    folder = tmp_path_factory.mktemp("live")
    (folder / "data").symlink_to(workplace / "data")
    shutil.copytree(workplace / "codecs", folder / "codecs")
    make_second(folder / "codecs", of="shapes10")
    return folder


@pytest.fixture
def live(place: Path) -> Iterator[LiveRun]:
    run = start_live(write_live_scenario(place / "live.yaml"), workplace=place)
    run.wait_for_frames()
    yield run
    printed = run.end()
    assert run.process.returncode == 0, printed
    assert "Traceback" not in printed


def test_system_streams_heals_changes_and_sweeps(live: LiveRun, place: Path) -> None:
    """One system for all of this: it takes long to start."""
    check_second_of_that_name_is_refused(live)
    check_status_and_channel(live)
    check_killed_processes_heal(live)
    check_codec_changes(live)
    check_sweep_has_the_digest_of_its_own_processes(live, place)
    live.balanced()


def check_second_of_that_name_is_refused(live: LiveRun) -> None:
    code, printed = live.command("up", live.workplace / "live.yaml")
    assert code == 2, printed
    assert "is up" in printed


def check_status_and_channel(live: LiveRun) -> None:
    code, _ = live.command("channel", "set", "shapes10", "--snr-db", "-12", "--model", "rayleigh")
    assert code == 0
    live.wait(lambda links: links["shapes10"]["snr_set_db"] == -12, "the SNR that was set")
    live.wait(lambda links: (links["shapes10"]["window"]["value"] or 1) < 0.8, "a worse accuracy")
    live.wait(
        lambda links: abs((links["shapes10"]["window"]["snr_measured_db"] or 99) + 12) < 6,
        "an SNR measured near the one that was set",
    )
    code, printed = live.command("status", "--json")
    assert code == 0
    rows = {link["link"]: link for link in json.loads(printed)["links"]}
    assert (rows["shapes10"]["model"], rows["shapes10"]["course"]) == ("rayleigh", "held")
    assert rows["shapes100"]["window"]["value"] > 0.5
    assert live.command("channel", "set", "shapes10", "--follow", "--model", "awgn")[0] == 0
    live.wait(lambda links: links["shapes10"]["snr_set_db"] == 10, "the course")
    code, printed = live.command("channel", "set", "nobody", "--snr-db", "3")
    assert (code, "no link 'nobody'" in printed) == (2, True)


def check_killed_processes_heal(live: LiveRun) -> None:
    before = {peer: live.logs.pid(peer) for peer in ("channel", "receiver-1", "shapes100")}
    for peer in before:
        live.logs.kill(peer)
    live.wait_for_frames(10)
    assert all(live.logs.pid(peer) != pid for peer, pid in before.items())
    live.balanced()


def check_codec_changes(live: LiveRun) -> None:
    code, printed = live.command("codec", "set", "shapes10", "second")
    assert code == 0, printed
    assert live.links()["shapes10"]["codec"] == "second"
    weights = live.workplace / "codecs" / "cifar10" / "receiver.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    for refused, exit_code in (("cifar10", 6), ("shapes200", 2), ("missing", 6)):
        status, answer = live.ask("/api/codec", {"link": "shapes10", "codec": refused})
        assert (status, answer["exit_code"]) == (400, exit_code), answer
    live.wait_for_frames()
    assert live.links()["shapes10"]["codec"] == "second"


def check_sweep_has_the_digest_of_its_own_processes(live: LiveRun, place: Path) -> None:
    stranger = {"cifar10": {"dataset": "cifar10", "codec": "cifar10"}}
    for changed, complaint in (
        ({"links": stranger}, "no transmitter for link cifar10"),
        ({"threads": {"receiver": 2}}, "threads"),
        ({"engine": "torch"}, "engine"),
    ):
        path = write_scenario(place / "wrong.yaml", **{**SMALL, **changed})
        code, printed = live.command("sweep", path, "--live")
        assert (code, complaint in printed) == (2, True), printed
    one = {"shapes100": {"dataset": "shapes100", "codec": "shapes100"}}
    scenario = write_scenario(place / "s.yaml", **SMALL, links=one)
    code, printed = live.command("sweep", scenario, "--live")
    assert code == 0, printed
    live.wait_for_frames()
    code, printed = live.command("sweep", scenario, "--out", "runs/alone", "--no-report")
    assert code == 0, printed
    runs = place / "runs"
    assert "<h2>Accuracy</h2>" in (runs / "disturbed" / "report.html").read_text()
    assert not (runs / "alone" / "report.html").exists()
    assert results_digest(runs / "disturbed") == results_digest(runs / "alone")
    code, printed = live.command("verify", runs / "disturbed")
    assert code == 0, printed


def test_background_system_is_found_and_ended(place: Path) -> None:
    scenario = write_live_scenario(place / "live.yaml")
    code, printed = command("up", scenario, "--detach", cwd=place)
    assert code == 0, printed
    live = LiveRun(start("status", "--watch", cwd=place), place)
    children = [live.logs.pid(peer) for peer in ("channel", "receiver-1", "shapes10", "shapes100")]
    assert live.command("status")[0] == 0
    code, printed = live.command("down")
    assert code == 0, printed
    for child in children:
        eventually(lambda child=child: ended(child), f"process {child} ends")  # type: ignore[misc]
    live.process.communicate(timeout=60)
    assert live.process.returncode == 2, "there is nothing to watch any more"
    for words in (("status",), ("down",), ("channel", "set", "shapes10", "--snr-db", "3")):
        code, printed = live.command(*words)
        assert (code, "semcom up" in printed) == (2, True), printed


def test_system_attaches_to_processes_that_outlive_it(
    start_by_hand: Starter, place: Path, tmp_path: Path
) -> None:
    config, control = write_process_file(
        tmp_path / "processes.yaml",
        place,
    )
    scenario = write_live_scenario(
        tmp_path / "live.yaml", ports={"control": control, "metrics_host": "0.0.0.0"}
    )
    processes = [
        start_by_hand(package, peer, config)
        for package, peer in (
            ("transmitters", "shapes10"),
            ("transmitters", "shapes100"),
            ("receiver", "receiver-1"),
            ("channel_sim", "channel"),
        )
    ]
    first = start_live(scenario, "--attach", workplace=place)
    first.wait_for_frames()
    first.process.kill()
    first.end()
    assert first.command("status")[0] == 2, "what it left is no system"
    second = start_live(scenario, "--attach", workplace=place)
    second.wait_for_frames()
    held = {"link": "shapes10", "snr_db": -3}
    assert second.ask("/api/channel", held)[0] == 401
    token = (second.logs.folder / "token").read_text()
    assert second.ask("/api/channel", held, Authorization=f"Bearer {token}")[0] == 200
    second.balanced()
    printed = second.end()
    assert second.process.returncode == 0, printed
    assert [process.poll() for process in processes] == [None] * 4


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"mode": "sweep"}, "not a live scenario"),
        ({"links": {"a": {"dataset": "shapes10", "codec": "shapes10", "rate": 1}}}, "rate_hz"),
        ({"links": {"shapes10": {"dataset": "shapes10", "codec": "shapes100"}}}, "100 classes"),
    ],
)
def test_wrong_live_scenario_is_one_line(
    changes: dict[str, object], complaint: str, place: Path, tmp_path: Path
) -> None:
    path = write_live_scenario(tmp_path / "x.yaml", **changes)
    code, printed = command("up", path, "--name", "wrong", cwd=place)
    assert (code, complaint in printed.replace("\n", " ")) == (2, True), printed
    assert "Traceback" not in printed
