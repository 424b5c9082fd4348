"""The store of jobs: every change whole or not at all, whoever writes."""

from __future__ import annotations

import dataclasses
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from orchestrator.jobs.store import STATES, JobStore, Submission
from semcom.errors import ConfigurationError, StorageError

WANTED = Submission(
    name="a",
    dataset="shapes10",
    arguments=("shapes10", "--set", "x=[1, 2]", "--name", "a b"),
    nproc=2,
    priority=3,
    work="w",
    codecs="c",
    cwd="/somewhere",
)


@pytest.fixture
def store(tmp_path):
    store = JobStore(tmp_path / ".jobs" / "jobs.sqlite", create=True)
    yield store
    store.close()


def submit(store: JobStore, name: str = "a") -> int:
    return store.submit(dataclasses.replace(WANTED, name=name), now_s=10.0)


def test_job_is_read_as_it_was_written(store):
    job = store.job(store.submit(WANTED, 10.0))
    for field in dataclasses.fields(Submission):
        assert getattr(job, field.name) == getattr(WANTED, field.name)
    assert (job.state, job.attempts, job.submitted_s, job.pid) == ("queued", 0, 10.0, None)


def test_store_survives_being_closed(store):
    submit(store)
    with_another = JobStore(store.path)
    assert [job.name for job in with_another.jobs()] == ["a"]
    with_another.close()


def test_two_active_jobs_of_a_name_are_refused(store):
    submit(store)
    with pytest.raises(ConfigurationError, match="named a is queued"):
        submit(store)
    store.start(1, 11.0)
    with pytest.raises(ConfigurationError):
        submit(store)
    store.finish(1, "done", now_s=12.0, exit_code=0, digest="d")
    assert submit(store) == 2


def test_job_is_started_once(store):
    job = store.start(submit(store), 11.0)
    assert job is not None
    assert (job.state, job.attempts, job.started_s) == ("running", 1, 11.0)
    assert store.start(1, 12.0) is None


def test_attempts_count_on_and_the_first_start_stands(store):
    submit(store)
    store.start(1, 11.0)
    store.set_process(1, 4711, 11.5)
    assert (store.job(1).pid, store.job(1).pid_started_s) == (4711, 11.5)
    store.requeue(1, restarts=1)
    assert (store.job(1).state, store.job(1).pid, store.job(1).restarts) == ("queued", None, 1)
    job = store.start(1, 13.0)
    assert job is not None
    assert (job.attempts, job.started_s) == (2, 11.0)


def test_queued_job_is_cancelled_at_once_and_a_running_one_is_asked(store):
    submit(store)
    submit(store, "b")
    store.start(2, 11.0)
    assert (store.cancel(1, 12.0).state, store.cancel(2, 12.0).state) == ("cancelled", "running")
    assert store.job(1).finished_s == 12.0
    assert store.job(2).cancel_asked
    assert store.job(2).finished_s is None
    assert store.start(1, 13.0) is None


def test_ended_job_cannot_be_cancelled(store):
    submit(store)
    store.finish(1, "failed", now_s=12.0, exit_code=2, error="why")
    with pytest.raises(ConfigurationError, match="is failed"):
        store.cancel(1, 13.0)
    assert not store.job(1).cancel_asked


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_ended_job_is_restarted_as_if_new_but_for_its_attempts(store, state):
    submit(store)
    store.start(1, 11.0)
    store.requeue(1, restarts=3)
    store.finish(1, state, now_s=12.0, exit_code=2, error="why")
    job = store.restart(1)
    assert (job.state, job.restarts, job.error, job.exit_code) == ("queued", 0, None, None)
    assert (job.attempts, job.cancel_asked, job.finished_s) == (1, False, None)


def test_only_failed_and_cancelled_jobs_are_restarted(store):
    submit(store)
    with pytest.raises(ConfigurationError, match="is queued"):
        store.restart(1)
    store.finish(1, "done", now_s=12.0, exit_code=0, digest="d")
    with pytest.raises(ConfigurationError, match="is done"):
        store.restart(1)


def test_restart_is_refused_while_another_job_has_the_name(store):
    submit(store)
    store.cancel(1, 11.0)
    submit(store)
    with pytest.raises(ConfigurationError, match="named a"):
        store.restart(1)
    assert store.job(1).state == "cancelled"


def test_settled_job_is_not_settled_again(store):
    submit(store)
    store.finish(1, "done", now_s=12.0, exit_code=0, digest="d")
    store.finish(1, "failed", now_s=13.0, exit_code=2)
    assert (store.job(1).state, store.job(1).digest) == ("done", "d")


def test_counts_name_every_state(store):
    assert store.counts() == dict.fromkeys(STATES, 0)
    submit(store)
    submit(store, "b")
    assert store.counts()["queued"] == 2


def test_unknown_job_and_missing_store_are_said(store, tmp_path):
    for change in (store.job, store.restart):
        with pytest.raises(ConfigurationError, match="no job 7"):
            change(7)
    with pytest.raises(ConfigurationError, match="no job 7"):
        store.cancel(7, 0.0)
    with pytest.raises(ConfigurationError, match="no jobs at"):
        JobStore(tmp_path / "elsewhere" / "jobs.sqlite")


def test_damaged_store_is_a_storage_error(tmp_path):
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(StorageError, match="job store"):
        JobStore(path)


def test_store_of_another_version_is_left_alone(store):
    database = sqlite3.connect(store.path)
    database.execute("PRAGMA user_version=99")
    database.close()
    with pytest.raises(ConfigurationError, match="version 99"):
        JobStore(store.path)


def test_many_may_create_and_write_at_once(tmp_path):
    path = tmp_path / ".jobs" / "jobs.sqlite"
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            store = JobStore(path, create=True)
            for turn in range(5):
                submit(store, f"job-{number}-{turn}")
            store.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    store = JobStore(path)
    assert sorted(job.id for job in store.jobs()) == list(range(1, 41))
    store.close()


KILLED_IN_A_TRANSACTION = """
import os, signal, sys
from pathlib import Path
from orchestrator.jobs.store import JobStore
store = JobStore(Path(sys.argv[1]))
with store._transaction():
    store.finish(1, "done", now_s=1.0, exit_code=0)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_writer_killed_in_the_middle_leaves_the_row_as_it_was(store):
    submit(store)
    subprocess.run(
        [sys.executable, "-c", KILLED_IN_A_TRANSACTION, str(Path(store.path))],
        check=False,
        timeout=60,
    )
    assert store.job(1).state == "queued"
    assert store.start(1, 11.0) is not None
