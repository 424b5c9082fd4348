"""SIGSTOP of any one process for 10 s in mid-sweep, then SIGCONT."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from orchestrator.ledger import FrameRow
from tests.faults.plant import LINK, check, launched, let_go, stopped
from tests.integration.harness import eventually

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

STOPPED_S = 10.0


@pytest.mark.parametrize("victim", [LINK, "channel", "receiver-1", "orchestrator"])
def test_process_stopped_for_10_s_changes_no_answer(
    victim: str, undisturbed: list[FrameRow], workplace: Path, tmp_path: Path
) -> None:
    run = launched(tmp_path, workplace)
    pid = run.process.pid if victim == "orchestrator" else run.pid(victim)
    with stopped(pid):
        let_go(run)
        until_s = time.monotonic() + STOPPED_S
        eventually(lambda: time.monotonic() >= until_s, "10 s have passed")
        assert run.process.poll() is None, run.output()
    run.finish()
    if victim != "orchestrator":
        assert run.pid(victim) == pid, "the process was started again"
    check(tmp_path / "run", undisturbed)
