"""Processes that are kept alive: restarted, given up, stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from orchestrator.control import launcher as module
from orchestrator.control import local_processes
from orchestrator.control.launcher import (
    MAX_RESTARTS_PER_MINUTE,
    RESTART_AFTER_S,
    Launcher,
    last_error,
)
from orchestrator.control.local_processes import LocalProcesses
from semcom.errors import ProcessFailedError, StorageError


class FakeProcess:
    """A child that ends when the test says so, or when it is asked to."""

    def __init__(self, words: tuple[Any, ...], *, obeys: bool = True) -> None:
        self.words, self.obeys = words, obeys
        self.pid = 1
        self.code: int | None = None
        self.signals: list[int] = []

    def poll(self) -> int | None:
        return self.code

    def send_signal(self, number: int) -> None:
        self.signals.append(number)
        if number == signal.SIGTERM and self.obeys:
            self.code = 0

    def wait(self, timeout: float | None = None) -> int:
        if self.code is None:
            raise subprocess.TimeoutExpired("child", timeout or 0.0)
        return self.code

    def kill(self) -> None:
        self.code = -signal.SIGKILL


@pytest.fixture
def children(monkeypatch: pytest.MonkeyPatch) -> list[FakeProcess]:
    """What was started, in order."""
    found: list[FakeProcess] = []

    def start(*words: Any, **options: Any) -> FakeProcess:
        assert options["log"].writable()
        found.append(FakeProcess(words))
        return found[-1]

    monkeypatch.setattr(local_processes, "start_with_log", start)
    return found


@pytest.fixture
def launcher(tmp_path: Path) -> Launcher:
    (tmp_path / "logs").mkdir()
    shard = {"channel": {"control": "tcp://127.0.0.1:1"}, "receiver": {}}
    return Launcher(tmp_path, LocalProcesses(tmp_path, [shard, shard]))


def test_every_shard_has_a_file_of_its_own(launcher, children, tmp_path):
    launcher.start("channel", "channel-2", shard=1)
    assert children[0].words[0] == "channel_sim"
    assert tmp_path / "processes-2.yaml" in children[0].words
    section = yaml.safe_load((tmp_path / "processes.yaml").read_text())["channel"]
    assert section["control"] == "tcp://127.0.0.1:1"
    assert section["parent_pid"] > 0


def test_process_that_dies_is_started_again_after_a_moment(launcher, children):
    launcher.start("receiver", "receiver-1")
    children[0].code = -9
    assert launcher.watch(10.0) == []
    assert launcher.watch(10.0 + RESTART_AFTER_S / 2) == []
    assert launcher.watch(10.0 + RESTART_AFTER_S) == ["receiver"]
    assert len(children) == 2
    assert launcher.running("receiver") == 1


@pytest.mark.parametrize("code", sorted(module.FINAL_EXIT_CODES))
def test_error_that_no_restart_mends_is_final_and_told(launcher, children, code, tmp_path):
    launcher.start("receiver", "receiver-1")
    line = {"level": "error", "event": "codec x is damaged"}
    (tmp_path / "logs" / "receiver-1.jsonl").write_text(f"noise\n{json.dumps(line)}\nmore\n")
    children[0].code = code
    with pytest.raises(ProcessFailedError, match="receiver receiver-1: codec x is damaged") as told:
        launcher.watch(0.0)
    assert told.value.exit_code == code


def test_process_that_dies_again_and_again_is_given_up(launcher, children):
    launcher.start("channel", "channel")
    now_s = launcher.children[0].started_s[0]
    for _ in range(MAX_RESTARTS_PER_MINUTE - 1):
        children[-1].code = 1
        launcher.watch(now_s)
        now_s += RESTART_AFTER_S
        assert launcher.watch(now_s) == ["channel"]
    children[-1].code = 1
    with pytest.raises(ProcessFailedError, match="10 times within a minute"):
        launcher.watch(now_s)


def test_restarts_of_long_ago_do_not_count(launcher, children):
    launcher.start("channel", "channel")
    now_s = launcher.children[0].started_s[0]
    for _ in range(3 * MAX_RESTARTS_PER_MINUTE):
        children[-1].code = 1
        launcher.watch(now_s)
        launcher.watch(now_s + RESTART_AFTER_S)
        now_s += 30.0
    assert len(children) == 3 * MAX_RESTARTS_PER_MINUTE + 1


def test_stop_asks_also_those_that_stand_still_and_kills_who_does_not_obey(
    launcher, children, monkeypatch
):
    monkeypatch.setattr(module, "STOP_GRACE_S", 0.0)
    launcher.start("transmitter", "a")
    launcher.start("receiver", "receiver-1")
    children[1].obeys = False
    launcher.stop()
    assert children[0].signals == children[1].signals == [signal.SIGTERM, signal.SIGCONT]
    assert [child.code for child in children] == [0, -signal.SIGKILL]
    assert launcher.watch(1e9) == []


def test_processes_of_a_role_drain_and_the_others_go_on(launcher, children):
    launcher.start("transmitter", "a")
    launcher.start("channel", "channel")
    launcher.terminate("transmitter")
    assert (launcher.running("transmitter"), launcher.running("channel")) == (0, 1)


def test_folder_that_is_gone_is_one_line(launcher, children, tmp_path):
    shutil.rmtree(tmp_path / "logs")
    with pytest.raises(StorageError, match="cannot start channel channel"):
        launcher.start("channel", "channel")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("what", ["fifo", "link", "dangling", "folder"])
def test_what_lies_in_the_place_of_a_log_is_neither_waited_for_nor_written(
    launcher, children, tmp_path, what
):
    log, precious = tmp_path / "logs" / "cifar10.jsonl", tmp_path / "precious"
    log.parent.mkdir(exist_ok=True)
    if what == "fifo":
        os.mkfifo(log)
    elif what == "folder":
        log.mkdir()
    else:
        log.symlink_to(precious)
        if what == "link":
            precious.write_text("precious")
    with pytest.raises(StorageError, match=r"^cannot start .*: [^\n]* not a regular file$"):
        launcher.start("transmitter", "cifar10")
    assert children == []
    assert precious.exists() == (what == "link")
    if what == "link":
        assert precious.read_text() == "precious"


def test_log_without_an_error_is_named(tmp_path):
    assert last_error(tmp_path / "none.jsonl") == f"see {tmp_path / 'none.jsonl'}"
    (tmp_path / "a.jsonl").write_bytes(b'\xff\n{"level": "info"}\n[1]\n')
    assert last_error(tmp_path / "a.jsonl") == f"see {tmp_path / 'a.jsonl'}"
