"""One process writes a data set at a time; the others wait for it, and say so."""

from __future__ import annotations

import dataclasses
import logging
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.datasets import one_writer, procedural
from orchestrator.datasets import prepare as preparing
from orchestrator.datasets.prepare import draw_missing, ensure, prepare
from semcom.errors import ConfigurationError
from semcom.locks import FileLock
from semcom.shards import Shard, read_manifest
from tests.orchestrator.datasets import fakes

ROOT = Path(__file__).resolve().parents[3]
# Draws few images slowly, and says when it begins: what a sweep does on its first use of a set.
FIRST_USE = """
import dataclasses, sys, time
from pathlib import Path
from orchestrator.datasets import prepare, procedural
drawn = procedural.DRAWN_SETS["shapes10"]
procedural.DRAWN_SETS["shapes10"] = dataclasses.replace(drawn, train_images=20, test_images=10)
draw = procedural.draw
def slowly(*arguments, **options):
    print("draws", flush=True)
    time.sleep(0.5)
    return draw(*arguments, **options)
procedural.draw = slowly
prepare.draw_missing(["shapes10"], Path(sys.argv[1]))
print("ready", flush=True)
"""


@pytest.fixture(autouse=True)
def small_drawings(monkeypatch):
    for name, drawn in procedural.DRAWN_SETS.items():
        small = dataclasses.replace(drawn, train_images=20, test_images=10)
        monkeypatch.setitem(procedural.DRAWN_SETS, name, small)


@pytest.fixture
def source(tmp_path):
    splits = {"train": fakes.random_split(20, 10), "test": fakes.random_split(10, 10, seed=1)}
    fakes.write_cifar10_binary(tmp_path / "from", fakes.CIFAR10_NAMES, splits)
    return tmp_path / "from"


def test_four_processes_draw_a_new_set_once(tmp_path):
    command = [sys.executable, "-P", "-c", FIRST_USE, str(tmp_path / "data")]
    users = [
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT
        )
        for _ in range(4)
    ]
    done = [user.communicate(timeout=120) for user in users]
    assert [user.returncode for user in users] == [0] * 4, done
    printed = [out for out, _ in done]
    (drawer,) = (user for user, out in zip(users, printed, strict=True) if "draws" in out)
    assert sorted(printed) == ["draws\ndraws\nready\n", *["ready\n"] * 3]
    for said in (err for user, (_, err) in zip(users, done, strict=True) if user is not drawer):
        assert said == "" or f"which process {drawer.pid} (" in said  # or it came later
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["shapes10"]


def held_meanwhile(monkeypatch, lock: FileLock) -> None:
    """Let the lock go as soon as somebody waits for it."""
    told = preparing.logger.warning

    def let_go(*arguments: object) -> None:
        told(*arguments)
        lock.release()

    monkeypatch.setattr(preparing.logger, "warning", let_go)
    monkeypatch.setattr("semcom.locks.WAITING_S", 0.1)


def test_who_prepares_waits_and_says_for_whom(tmp_path, source, monkeypatch, caplog):
    lock = FileLock(tmp_path / ".cifar10.lock")
    assert lock.acquire()
    held_meanwhile(monkeypatch, lock)
    with caplog.at_level(logging.WARNING):
        prepare("cifar10", root=tmp_path / "cifar10", source=source)
    assert (
        f"waiting for data set {tmp_path / 'cifar10'}, which process {os.getpid()}" in caplog.text
    )
    assert not (tmp_path / ".cifar10.lock").exists()


def test_a_deleted_lock_file_lets_no_second_writer_in(tmp_path, source, monkeypatch, caplog):
    lock = FileLock(tmp_path / ".cifar10.lock", folder=tmp_path / "cifar10")
    (tmp_path / "cifar10").mkdir()
    assert lock.acquire()
    (tmp_path / ".cifar10.lock").unlink()
    held_meanwhile(monkeypatch, lock)
    with caplog.at_level(logging.WARNING):
        prepare("cifar10", root=tmp_path / "cifar10", source=source)
    assert f"waiting for data set {tmp_path / 'cifar10'}, which another process" in caplog.text


def test_a_real_set_that_is_being_written_is_waited_for(tmp_path, source, monkeypatch, caplog):
    prepare("cifar10", root=tmp_path / "whole", source=source)
    lock = FileLock(tmp_path / ".cifar10.lock")
    assert lock.acquire()
    release = lock.release

    def written() -> None:
        (tmp_path / "whole").rename(tmp_path / "cifar10")
        release()

    monkeypatch.setattr(lock, "release", written)
    held_meanwhile(monkeypatch, lock)
    with caplog.at_level(logging.WARNING):
        assert ensure("cifar10", tmp_path / "cifar10") == read_manifest(tmp_path / "cifar10")
    assert "waiting for data set" in caplog.text


def test_a_lock_of_a_killed_process_keeps_nobody(tmp_path):
    (tmp_path / ".cifar10.lock").write_text('{"pid": 1, "host": "gone", "command": ""}')
    with pytest.raises(ConfigurationError, match="no data set at"):
        ensure("cifar10", tmp_path / "cifar10")
    (tmp_path / ".shapes10.lock").write_text("")
    ensure("shapes10", tmp_path / "shapes10")


def test_a_set_that_is_there_is_used_without_a_lock(tmp_path, source, monkeypatch):
    ensure("shapes10", tmp_path / "shapes10")
    prepare("cifar10", root=tmp_path / "cifar10", source=source)

    def refuse(*_arguments: object, **_options: object) -> None:
        raise AssertionError("nothing is written where one may only read")

    monkeypatch.setattr(one_writer, "exclusive", refuse)
    draw_missing(["shapes10", "cifar10"], tmp_path)
    with pytest.raises(ConfigurationError, match="no data set at"):
        ensure("cifar100", tmp_path / "cifar100")


def test_threads_draw_once(tmp_path, monkeypatch):
    drawn: list[str] = []
    draw = procedural.draw

    def counted(name: str, split: str, *arguments: object) -> object:
        drawn.append(split)
        return draw(name, split, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(procedural, "draw", counted)
    threads = [
        threading.Thread(target=ensure, args=("shapes10", tmp_path / "shapes10")) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn == ["train", "test"]
    assert len(Shard(tmp_path / "shapes10", "test")) == 10


def test_what_killed_processes_left_is_removed_and_nothing_else(tmp_path):
    left = [
        tmp_path / ".shapes10.unpacked-abc" / "unpacked" / "x",
        tmp_path / "shapes10" / ".dataset.json.77",
        tmp_path / "shapes10" / "train" / ".images.npy.77.ab12",
        tmp_path / "shapes10" / "test" / ".labels.npy",
    ]
    others = [
        tmp_path / ".shapes100.unpacked-abc" / "x",
        tmp_path / "shapes10" / "notes.txt",
        tmp_path / "shapes10" / "train" / ".mine",
    ]
    for path in left + others:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    ensure("shapes10", tmp_path / "shapes10")
    assert not any(path.exists() for path in left)
    assert not (tmp_path / ".shapes10.unpacked-abc").exists()
    assert all(path.exists() for path in others)
