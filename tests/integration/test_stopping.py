"""SIGTERM and SIGINT where they come at a bad time: twice, at the end, ignored by the shell."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from semcom.stop_signals import AGAIN_AFTER_S
from tests.integration.harness import (
    SEMCOM,
    command,
    start,
    start_held_sweep,
    write_scenario,
)

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

HELD_REPORT = [sys.executable, str(Path(__file__).with_name("held_report.py"))]
TINY: dict[str, object] = {
    "links": {"shapes10": {"dataset": "shapes10", "codec": "shapes10"}},
    "channels": [{"model": "awgn"}],
    "snr_db": [0, 10, 20],
    "images": 200,
}
# Ignored, as a shell has it that starts a command in the background of a script.
IGNORING = [
    sys.executable, "-c",
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_IGN); "
    "os.execv(sys.argv[1], sys.argv[1:])",
]  # fmt: skip


def start_until_it_draws(scenario: Path, run: Path, workplace: Path) -> subprocess.Popen[str]:
    """A sweep that is over but for its report."""
    arguments = ("sweep", scenario, "--out", run)
    process = start(*arguments, cwd=workplace, program=HELD_REPORT, stdin=subprocess.PIPE)
    assert process.stdout is not None
    while "drawing" not in (line := process.stdout.readline()):
        assert line, f"it ended with {process.wait()}"
    return process


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """The line that holds some words."""
    assert process.stdout is not None
    while words not in (line := process.stdout.readline()):
        assert line, f"it ended with {process.wait()} without: {words}"
    return line


def test_two_quick_sigterm_are_one_request_and_each_is_answered(
    workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **TINY)
    run = start_held_sweep(
        scenario, tmp_path / "run", workplace=workplace, link="shapes10", frames=40
    )
    run.wait_recorded(20)
    run.process.send_signal(signal.SIGTERM)
    said = read_until(run.process, "SIGTERM: ")
    assert "SIGTERM: finishing work in progress; send it again to end at once" in said
    run.process.send_signal(signal.SIGTERM)
    printed = run.output()
    assert run.process.returncode == 143, printed
    assert "SIGTERM again: " in printed
    assert "--resume" in printed
    assert "Traceback" not in printed


def test_sigterm_while_the_report_is_drawn_lets_it_be_drawn(
    workplace: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    process = start_until_it_draws(
        write_scenario(tmp_path / "s.yaml", **TINY, ), run, workplace
    )  # fmt: skip
    process.send_signal(signal.SIGTERM)
    assert "writing the results and the report" in read_until(process, "SIGTERM: ")
    printed, _ = process.communicate()
    assert process.returncode == 0, printed
    assert "results digest" in printed
    assert (run / "report.html").exists()


def test_a_second_sigterm_while_the_report_is_drawn_ends_at_once_and_says_how_to_go_on(
    workplace: Path, tmp_path: Path
) -> None:
    scenario, run = write_scenario(tmp_path / "s.yaml", **TINY), tmp_path / "run"
    process = start_until_it_draws(scenario, run, workplace)
    process.send_signal(signal.SIGTERM)
    read_until(process, "SIGTERM: ")
    time.sleep(1.2 * AGAIN_AFTER_S)  # what comes within it is the same request
    process.send_signal(signal.SIGTERM)
    printed, _ = process.communicate()
    assert process.returncode == 143, printed
    assert "SIGTERM again: ending at once" in printed
    assert "resume with: semcom sweep" in printed
    assert not (run / "report.html").exists()
    code, printed = command("sweep", scenario, "--out", run, "--resume", cwd=workplace)
    assert code == 0, printed
    assert (run / "report.html").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_command_that_waits_is_ended_though_the_shell_ignores_sigint(
    number: signal.Signals, workplace: Path, tmp_path: Path
) -> None:
    """And while it waits, it says for whom."""
    scenario = write_scenario(tmp_path / "s.yaml", **TINY, ports={"control": 5570})
    arguments = ("sweep", scenario, "--out", tmp_path / "run", "--no-launch")
    process = start(*arguments, cwd=workplace, program=[*IGNORING, *SEMCOM])
    said = read_until(process, "waiting for channel, receiver, transmitter shapes10 to connect to")
    assert said.strip().endswith("to connect to tcp://127.0.0.1:5570")
    process.send_signal(number)
    printed, _ = process.communicate()
    assert process.returncode == 128 + number, printed
    assert f"{number.name}: finishing" in printed
    assert "interrupted with 120 of 120 frames to go; resume with: semcom sweep" in printed
