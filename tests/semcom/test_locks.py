"""Locks: one holder, named by pid and command, freed by the kernel."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import signal
import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from semcom import locks
from semcom.errors import StorageError
from semcom.locks import FileLock, HeldError, Holder, exclusive

# Counts up in a file, each step by itself, and says so: two at once would lose steps.
COUNTER = """
import sys, time
from pathlib import Path
from semcom.locks import exclusive
lock, number = Path(sys.argv[1]), Path(sys.argv[2])
for _ in range(20):
    with exclusive(lock, "the number", waiting=lambda holder: None):
        found = int(number.read_text())
        time.sleep(0.001)
        number.write_text(str(found + 1))
"""
HOLDER = """
import sys
from pathlib import Path
from semcom.locks import exclusive
with exclusive(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    sys.stdin.read()
"""


def started(code: str, *arguments: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-c", code, *map(str, arguments)]
    root = Path(locks.__file__).resolve().parents[1]
    return subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=root
    )


@pytest.fixture
def other(tmp_path):
    """Another process that holds the lock `l`."""
    with started(HOLDER, tmp_path / "l") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_a_lock_leaves_no_file(tmp_path):
    with exclusive(tmp_path / "new" / "l", "it"):
        assert json.loads((tmp_path / "new" / "l").read_text())["pid"] == os.getpid()
    assert not list((tmp_path / "new").iterdir())


def test_the_second_is_told_who_holds_it(tmp_path, other):
    with (
        pytest.raises(HeldError, match=rf"^run x is in use by process {other.pid} \(.*-c") as told,
        exclusive(tmp_path / "l", "run x"),
    ):
        pass
    assert told.value.exit_code == 2
    assert told.value.holder.pid == other.pid
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_killed_holder_frees_it(tmp_path, other, how):
    other.send_signal(how)
    other.wait()
    with exclusive(tmp_path / "l", "it"):
        pass
    assert not (tmp_path / "l").exists()


def test_who_waits_says_for_whom_again_and_again(tmp_path, other, monkeypatch):
    monkeypatch.setattr(locks, "WAITING_S", 0.1)
    heard: list[Holder] = []

    def waiting(holder: Holder) -> None:
        heard.append(holder)
        if len(heard) == 3:
            other.kill()

    with exclusive(tmp_path / "l", "it", waiting=waiting):
        pass
    assert [holder.pid for holder in heard[:3]] == [other.pid] * 3


def test_who_waits_may_give_up(tmp_path, other):
    def give_up(_holder: Holder) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), exclusive(tmp_path / "l", "it", waiting=give_up):
        pass


def test_many_processes_never_hold_it_at_once(tmp_path):
    (tmp_path / "n").write_text("0")
    counters = [started(COUNTER, tmp_path / "l", tmp_path / "n") for _ in range(4)]
    for counter in counters:
        with counter:
            assert counter.wait(60) == 0
    assert (tmp_path / "n").read_text() == "80"


def test_threads_of_one_process_exclude_each_other(tmp_path):
    found: list[str] = []

    def second() -> None:
        try:
            with exclusive(tmp_path / "l", "it"):
                found.append("held")
        except HeldError as error:
            found.append(str(error))

    with exclusive(tmp_path / "l", "it"):
        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert f"process {os.getpid()}" in found[0]


def test_a_program_that_the_holder_starts_does_not_hold_it(tmp_path):
    with exclusive(tmp_path / "l", "it"):
        child = subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE)
    try:
        with exclusive(tmp_path / "l", "it"):
            pass
    finally:
        child.communicate()


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"\xff", b'{"pid": "x"}', b"1" * 5000])
def test_a_holder_that_cannot_be_read_is_another_process(tmp_path, content):
    lock = FileLock(tmp_path / "l")
    assert lock.acquire()
    (tmp_path / "l").write_bytes(content)
    assert str(lock.holder()) == "another process"
    lock.release()


def test_name_of_a_dead_process_is_not_told(tmp_path):
    dead = subprocess.Popen(["/bin/true"])
    dead.wait()
    with exclusive(tmp_path / "l", "it"):
        name = json.loads((tmp_path / "l").read_text())
        (tmp_path / "l").write_text(json.dumps(name | {"pid": dead.pid}))
        with pytest.raises(HeldError, match="another process"), exclusive(tmp_path / "l", "it"):
            pass
        (tmp_path / "l").write_text(json.dumps(name | {"pid": dead.pid, "host": "elsewhere"}))
        with pytest.raises(HeldError, match="on elsewhere"), exclusive(tmp_path / "l", "it"):
            pass


def test_a_lock_file_removed_by_hand_does_not_shut_others_out(tmp_path):
    lock = FileLock(tmp_path / "l")
    assert lock.acquire()
    (tmp_path / "l").unlink()
    again = FileLock(tmp_path / "l")
    assert again.acquire()
    lock.release()
    assert not FileLock(tmp_path / "l").acquire()
    again.release()


@pytest.mark.parametrize("how", ["deleted", "replaced"])
def test_a_folder_is_held_though_its_lock_file_is_gone(tmp_path, how):
    held, path = tmp_path / "run", tmp_path / "run" / "l"
    with exclusive(path, "it", folder=held):
        path.unlink()
        if how == "replaced":
            path.write_text("")
        there = sorted(held.iterdir())
        with (
            pytest.raises(HeldError, match="in use by another process"),  # the name went with it
            exclusive(path, "it", folder=held),
        ):
            pass
        with FileLock(path, folder=held) as second:
            assert not second.acquire()
        assert sorted(held.iterdir()) == there
    path.unlink(missing_ok=True)
    with exclusive(path, "it", folder=held):
        pass


def test_a_folder_that_was_made_for_nothing_is_removed(tmp_path):
    with exclusive(tmp_path / "l", "it", folder=tmp_path / "empty"):
        pass
    with exclusive(tmp_path / "l", "it", folder=tmp_path / "used"):
        (tmp_path / "used" / "file").touch()
    assert [path.name for path in tmp_path.iterdir()] == ["used"]


def test_where_folders_cannot_be_locked_the_file_alone_counts(tmp_path, monkeypatch):
    flock = fcntl.flock

    def of_nfs(file: int, how: int) -> None:
        if stat.S_ISDIR(os.fstat(file).st_mode):
            raise OSError(errno.EBADF, "Bad file descriptor")
        flock(file, how)

    monkeypatch.setattr(fcntl, "flock", of_nfs)
    with (
        exclusive(tmp_path / "l", "it", folder=tmp_path),
        pytest.raises(HeldError, match=f"process {os.getpid()}"),
        exclusive(tmp_path / "l", "it", folder=tmp_path),
    ):
        pass


def test_a_failed_attempt_leaves_no_descriptor(tmp_path):
    before = len([*Path("/proc/self/fd").iterdir()])
    with FileLock(tmp_path / "l", folder=tmp_path) as first:
        assert first.acquire()
        assert not FileLock(tmp_path / "l", folder=tmp_path).acquire()
    (tmp_path / "m").mkdir()
    with pytest.raises(StorageError):
        FileLock(tmp_path / "m", folder=tmp_path).acquire()
    with pytest.raises(StorageError):
        FileLock(tmp_path / "n" / "l", folder=tmp_path / "n").acquire()
    assert len([*Path("/proc/self/fd").iterdir()]) == before


@pytest.mark.parametrize("what", ["folder", "fifo", "link", "under a file"])
def test_what_is_no_lock_file_is_one_line(tmp_path, what):
    path = tmp_path / "l"
    if what == "folder":
        path.mkdir()
    elif what == "fifo":
        os.mkfifo(path)
    elif what == "link":
        (tmp_path / "precious").write_text("precious")
        path.symlink_to(tmp_path / "precious")
    else:
        path.write_text("")
        path = path / "l"
    with pytest.raises(StorageError, match=r"^cannot (lock|create) [^\n]*$"), exclusive(path, "it"):
        pass
    if what == "link":
        assert (tmp_path / "precious").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_read_only_folder_is_one_line(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(StorageError, match="Permission denied"), exclusive(tmp_path / "l", "it"):
        pass


def test_file_system_without_locks_is_one_line(tmp_path, monkeypatch):
    def refuse(_file: int, _how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(StorageError, match="No locks available"), exclusive(tmp_path / "l", "it"):
        pass


def test_a_full_disk_leaves_the_holder_nameless(tmp_path, monkeypatch):
    def full(_file: int, _content: bytes, _place: int) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    with (
        exclusive(tmp_path / "l", "it"),
        pytest.raises(HeldError, match="another process"),
        exclusive(tmp_path / "l", "it"),
    ):
        pass


def test_commands_are_one_short_line(monkeypatch):
    monkeypatch.setattr(sys, "orig_argv", ["/usr/bin/python3", "/x/bin/semcom", "sweep", "a b\n"])
    assert locks._own_command() == "semcom sweep 'a b '"
    monkeypatch.setattr(sys, "orig_argv", ["/usr/bin/python3", "-m", "x", "y" * 1000])
    assert len(locks._own_command()) == locks.MAX_COMMAND
