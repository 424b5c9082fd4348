"""Names of run folders: two runs never take one, and a killed run leaves its name free."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.results.run_lock import alone_in, claim_folder, last_folder, leave
from semcom.errors import StorageError


def test_who_asks_at_once_gets_another_folder(tmp_path):
    found: list[Path] = []
    askers = [
        threading.Thread(target=lambda: found.append(claim_folder(tmp_path / "new" / "run")))
        for _ in range(12)
    ]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert len(set(found)) == 12
    assert last_folder(tmp_path / "new" / "run").name == "run-12"


def test_no_folder_can_be_claimed_in_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot make"):
        claim_folder(tmp_path / "file" / "run")


@pytest.mark.parametrize("left", [(), ("lock",), ("lock", "logs")])
def test_a_run_killed_before_its_ledger_leaves_its_name_free(tmp_path, left):
    """Found by soaks: each such kill made the next sweep begin in another folder."""
    folder = tmp_path / "run"
    folder.mkdir()
    for name in left:
        (folder / name).mkdir() if name == "logs" else (folder / name).write_text("{}")
    assert claim_folder(folder) == folder
    with alone_in(folder, tmp_path / "runs"):
        assert claim_folder(folder) == tmp_path / "run-2"
    leave(folder)
    assert not folder.exists()


def test_folder_that_a_killed_process_had_claimed_is_free(tmp_path):
    kill = "import os, pathlib, sys; from orchestrator.results.run_lock import claim_folder; "
    kill += "claim_folder(pathlib.Path(sys.argv[1])); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", kill, str(tmp_path / "run")], check=False)
    assert done.returncode == -signal.SIGKILL
    assert (tmp_path / "run").is_dir()
    assert claim_folder(tmp_path / "run") == tmp_path / "run"


def test_folder_that_is_given_up_is_removed_unless_something_came_into_it(tmp_path):
    empty, used = (claim_folder(tmp_path / "run") for _ in range(2))
    (used / "ledger.sqlite").touch()
    for folder in (empty, used):
        leave(folder)
    assert not empty.exists()
    assert [path.name for path in used.iterdir()] == ["ledger.sqlite"]


@pytest.mark.parametrize("held", ["empty", "logged", "ledger", "locked"])
def test_a_folder_that_holds_more_or_is_held_is_left_alone(tmp_path, held):
    folder = claim_folder(tmp_path / "run")
    if held == "empty":  # it was claimed just now
        assert claim_folder(tmp_path / "run") == tmp_path / "run-2"
        return
    (folder / "lock").touch()
    (folder / "logs").mkdir()
    if held == "logged":
        (folder / "logs" / "channel.jsonl").touch()
    if held == "ledger":
        (folder / "ledger.sqlite").touch()
    if held == "locked":
        with alone_in(folder, tmp_path):
            assert claim_folder(tmp_path / "run") == tmp_path / "run-2"
        return
    before = sorted(folder.rglob("*"))
    assert claim_folder(tmp_path / "run") == tmp_path / "run-2"
    assert sorted(folder.rglob("*")) == before
