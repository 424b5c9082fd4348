"""The supervisor comes and goes; every job runs to its end exactly once."""

from __future__ import annotations

import os
import signal

import psutil
import pytest

from orchestrator.jobs import instance
from semcom.locks import FileLock
from tests.orchestrator.jobs.queues import DEADLINE_S, Queue, gone, kill, opened

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


@pytest.fixture
def queue(tmp_path):
    with opened(tmp_path) as queue:
        yield queue


def ended_once(queue: Queue, *names: str) -> None:
    for name in names:
        assert queue.did(name, "finished") == 1, queue.history(name)
        assert queue.did(name, "twice") == 0
        assert queue.did(name, "step") == 3


def test_jobs_run_one_after_the_other_and_the_supervisor_ends_when_idle(tmp_path):
    with opened(tmp_path, idle_s=0) as queue:
        ids = [queue.submit("first"), queue.submit("last", priority=-1), queue.submit("second")]
        supervisor = queue.start_supervisor()
        assert supervisor.wait(DEADLINE_S) == 0, queue.folder.log.read_text()
        jobs = {job.name: job for job in queue.store.jobs()}
        assert {job.state for job in jobs.values()} == {"done"}
        assert len(ids) == len(jobs)
        for before, after in (("first", "second"), ("second", "last")):
            assert jobs[before].finished_s <= jobs[after].started_s
        ended_once(queue, "first", "second", "last")
        assert instance.find(queue.folder) is None


def test_killed_supervisor_finds_its_jobs_again_whatever_became_of_them(tmp_path):
    """One still runs, one ended, one died meanwhile, and one was never begun."""
    gates = {name: tmp_path / f"gate-{name}" for name in ("runs", "ends", "dies")}
    with opened(tmp_path, parallel=3) as queue:
        ids = {name: queue.submit(name, "--gate", gate) for name, gate in gates.items()}
        ids["waits-yet"] = queue.submit("waits-yet")
        queue.supervise()
        for name in gates:
            queue.wait_waiting(name)
        running = queue.store.job(ids["runs"])
        queue.kill_supervisor()

        gates["ends"].touch()
        queue.wait_exit(ids["ends"])
        training = psutil.Process(queue.last_pid("dies"))
        kill(training.ppid())
        kill(training.pid)
        gates["dies"].touch()

        queue.supervise()
        for name in ("ends", "dies", "waits-yet"):
            queue.wait_state(ids[name], "done")
        assert queue.store.job(ids["runs"]).pid == running.pid
        gates["runs"].touch()
        queue.wait_state(ids["runs"], "done")
        ended_once(queue, *ids)
        begun = {name: queue.did(name, "begin") for name in ids}
        assert begun == {"runs": 1, "ends": 1, "dies": 2, "waits-yet": 1}
        assert queue.store.job(ids["dies"]).restarts == 0


def test_supervisor_killed_between_start_and_note_loses_and_doubles_nothing(queue, tmp_path):
    """As if it was killed before it could write down which process it had started."""
    job_id = queue.submit("unnoted", "--gate", tmp_path / "gate")
    queue.supervise()
    queue.wait_waiting("unnoted")
    queue.kill_supervisor()
    queue.store.set_process(job_id, 0, 0.0)
    training = psutil.Process(queue.last_pid("unnoted"))
    queue.supervise()
    queue.wait_waiting("unnoted", times=2)
    assert gone(training)
    (tmp_path / "gate").touch()
    queue.wait_state(job_id, "done")
    ended_once(queue, "unnoted")


def test_job_taken_over_can_be_cancelled(queue, tmp_path):
    job_id = queue.submit("adopted", "--gate", tmp_path / "gate")
    queue.supervise()
    queue.wait_waiting("adopted")
    queue.kill_supervisor()
    queue.store.cancel(job_id, 0.0)
    queue.supervise()
    assert queue.wait_state(job_id, "cancelled").exit_code == 143


def test_supervisor_that_is_asked_to_end_queues_its_jobs_again(queue, tmp_path):
    job_id = queue.submit("drained", "--gate", tmp_path / "gate")
    supervisor = queue.supervise()
    queue.wait_waiting("drained")
    os.kill(supervisor.pid, signal.SIGTERM)
    assert supervisor.wait(DEADLINE_S) == 0
    job = queue.store.job(job_id)
    assert (job.state, job.restarts, queue.did("drained", "saved")) == ("queued", 0, 1)
    (tmp_path / "gate").touch()
    queue.supervise()
    queue.wait_state(job_id, "done")
    ended_once(queue, "drained")


def test_second_supervisor_of_a_folder_leaves_at_once(queue):
    queue.supervise()
    second = queue.start_supervisor()
    assert second.wait(DEADLINE_S) == 0
    assert "another supervisor runs" in queue.folder.log.read_text()


def test_lock_is_held_once_and_freed(tmp_path):
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    assert first.acquire()
    assert not second.acquire()
    first.release()
    assert second.acquire()
    second.release()
