"""Who waits for other hosts or ranks says for whom, and stops when told."""

from __future__ import annotations

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from orchestrator.training import __main__ as command
from orchestrator.training import ranks
from orchestrator.training.torchrun import say_unless_told
from semcom.children import VERDICT
from semcom.stop_signals import Stopped
from tests.orchestrator.training.harness import start_training

PROMPTLY_S = 60.0  # a wait takes torchrun ten minutes; this machine may be busy


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.processes
@pytest.mark.timeout(400)
@pytest.mark.parametrize(
    ("host", "number", "said"),
    [
        ("127.0.0.1", signal.SIGTERM, "the other hosts at {}: 1 of 2 are here"),
        ("127.0.0.9", signal.SIGINT, "{}, the hosts' rendezvous: no process listens there"),
    ],
)
def test_a_host_that_waits_says_for_whom_and_stops_when_told(
    host: str, number: signal.Signals, said: str, data_dir: Path, tmp_path: Path
) -> None:
    meeting = f"{host}:{free_port()}"
    words = ("--until", "teacher", "--nnodes", "2", "--rendezvous", meeting)
    waiting = start_training(data_dir, tmp_path, *words, "--local-addr", "127.0.0.1")
    assert waiting.stdout is not None
    while f"waiting for {said.format(meeting)}" not in (line := waiting.stdout.readline()):
        assert line, f"it ended with {waiting.wait()}"
    asked_s = time.monotonic()
    waiting.send_signal(number)
    printed, _ = waiting.communicate(timeout=300)
    assert time.monotonic() - asked_s < PROMPTLY_S
    assert waiting.returncode == 128 + number, printed
    assert f"{number.name}: stopped" in printed
    assert "Traceback" not in printed


def test_a_rank_that_waits_for_the_others_stops_when_told(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    place = {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29999"}
    for name, value in {**place, VERDICT: "unused"}.items():
        monkeypatch.setenv(name, value)

    def wait(backend: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(60)

    monkeypatch.setattr(ranks.dist, "init_process_group", wait)
    with pytest.raises(Stopped) as stopped, ranks.joined_ranks(ranks.torch.device("cpu")):
        pytest.fail("it did not wait")
    assert stopped.value.exit_code == 143
    assert "SIGTERM: stopped" in capfd.readouterr().err
    assert ranks._other_ranks() == "the other ranks of 2 at 127.0.0.1:29999; this is rank 1"


@pytest.mark.parametrize(
    "place", [{"RANK": "abc"}, {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}]
)
def test_a_cluster_around_the_training_is_one_line_and_places_no_rank(
    place: dict[str, str],
    data_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, value in place.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("PET_NNODES", "7")
    folders = ("--data", str(data_dir), "--work", str(tmp_path), "--out", str(tmp_path / "codec"))
    words = ("shapes10", "--preset", "smoke", "--set", "images=64", "--until", "teacher")
    one_step = ("--set", "stages.teacher.epochs=1", "--set", "stages.teacher.batch=64")
    assert command.main([*words, *one_step, *folders]) == 0
    said = capsys.readouterr().err
    assert said.count("ignored from the environment: ") == 1
    assert all(name in said for name in (*place, "PET_NNODES"))
    assert "1 rank(s)" in said


@pytest.mark.parametrize("meeting", ["abc:xyz", "host:70000", "ho st:1"])
def test_a_meeting_point_that_is_none_is_one_line(
    meeting: str, data_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("shapes10", "--preset", "smoke", "--data", str(data_dir), "--work", str(tmp_path))
    assert command.main([*words, "--nnodes", "2", "--rendezvous", meeting]) == 2
    assert f"error: --rendezvous {meeting}: must be HOST:PORT" in capsys.readouterr().err


def test_rank_that_is_stopped_because_another_has_told_why_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    verdict = tmp_path / "exit-code"
    monkeypatch.setenv(VERDICT, str(verdict))
    say_unless_told("SIGTERM: stopped")
    assert capfd.readouterr().err == "SIGTERM: stopped\n"
    verdict.symlink_to("2")
    say_unless_told("SIGTERM: stopped")
    assert capfd.readouterr().err == ""
