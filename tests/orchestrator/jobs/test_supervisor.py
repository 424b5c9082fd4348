"""What the supervisor decides, without a process in sight."""

from __future__ import annotations

import dataclasses

import pytest

from orchestrator.jobs.settings import JobsSettings
from orchestrator.jobs.store import Job, State
from orchestrator.jobs.supervisor import (
    Instruction,
    Kill,
    Register,
    Requeue,
    Settle,
    Start,
    Supervisor,
    Terminate,
    describe_code,
    died,
)

SETTINGS = JobsSettings(parallel=1, max_restarts=3, backoff_s=2, grace_s=30, idle_s=100)


def job(job_id: int = 1, state: State = "queued", **changes: object) -> Job:
    plain = Job(id=job_id, name=f"job-{job_id}", dataset="shapes10", arguments=(), state=state)
    return dataclasses.replace(plain, **changes)


@pytest.fixture
def supervisor() -> Supervisor:
    return Supervisor(SETTINGS, now_s=0.0)


def parallel(count: int) -> Supervisor:
    return Supervisor(SETTINGS.model_copy(update={"parallel": count}), now_s=0.0)


def test_starts_the_first_job_that_waits(supervisor):
    assert supervisor.decide([job(1), job(2)], 0.0) == [Start(1)]


def test_starts_nothing_beyond_the_jobs_at_a_time():
    jobs = [job(1, "running"), job(2), job(3), job(4)]
    assert parallel(1).decide(jobs, 0.0) == []
    assert parallel(3).decide(jobs, 0.0) == [Start(2), Start(3)]


def test_higher_priority_goes_first_and_equal_ones_by_their_number(supervisor):
    jobs = [job(1), job(2, priority=5), job(3, priority=5), job(4, priority=-1)]
    assert parallel(4).decide(jobs, 0.0) == [Start(2), Start(3), Start(1), Start(4)]


def test_job_that_ends_well_is_registered_even_if_it_was_to_be_cancelled(supervisor):
    assert supervisor.ended(job(1, "running"), 0, 1.0) == Register(1)
    assert supervisor.ended(job(1, "running", cancel_asked=True), 0, 1.0) == Register(1)


@pytest.mark.parametrize("code", [-9, -11, -15, 137, 143, 70])
def test_job_that_died_is_started_again(supervisor, code):
    assert supervisor.ended(job(1, "running", restarts=1), code, 1.0) == Requeue(1, 2)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5, 6, 7, 8])
def test_code_that_starting_again_cannot_mend_is_final(supervisor, code):
    assert supervisor.ended(job(1, "running"), code, 1.0) == Settle(1, "failed", code)


def test_job_is_started_again_so_often_and_no_more(supervisor):
    restarts = 0
    ends: list[Instruction] = []
    while not ends or isinstance(ends[-1], Requeue):
        ends.append(supervisor.ended(job(1, "running", restarts=restarts), -9, 1.0))
        restarts += 1
    assert ends == [Requeue(1, 1), Requeue(1, 2), Requeue(1, 3), Settle(1, "failed", -9)]


@pytest.mark.parametrize(("restarts", "wait_s"), [(0, 2.0), (1, 4.0), (2, 8.0)])
def test_waits_longer_before_every_restart(supervisor, restarts, wait_s):
    supervisor.ended(job(1, "running", restarts=restarts), 70, 10.0)
    queued = [job(1, restarts=restarts + 1)]
    assert supervisor.decide(queued, 10.0 + wait_s - 0.1) == []
    assert supervisor.decide(queued, 10.0 + wait_s) == [Start(1)]


def test_job_that_backs_off_keeps_its_place(supervisor):
    supervisor.ended(job(1, "running"), -9, 10.0)
    assert supervisor.decide([job(1, restarts=1), job(2)], 11.0) == []
    assert supervisor.decide([job(1, restarts=1), job(2)], 12.0) == [Start(1)]


def test_job_lost_with_an_earlier_supervisor_is_queued_and_not_counted(supervisor):
    assert supervisor.ended(job(1, "running", restarts=3), None, 0.0) == Requeue(1, 3)
    assert supervisor.decide([job(1, restarts=3)], 0.0) == [Start(1)]


def test_cancelled_job_is_asked_once_and_killed_once_after_the_grace(supervisor):
    jobs = [job(1, "running", cancel_asked=True)]
    found = {at: supervisor.decide(jobs, at) for at in (5.0, 6.0, 34.9, 35.0, 36.0, 99.0)}
    assert {at: what for at, what in found.items() if what} == {
        5.0: [Terminate(1)],
        35.0: [Kill(1)],
    }


@pytest.mark.parametrize("code", [143, -9, -15, 1])
def test_cancelled_job_ends_cancelled(supervisor, code):
    jobs = job(1, "running", cancel_asked=True)
    assert supervisor.ended(jobs, code, 1.0) == Settle(1, "cancelled", code)


def test_job_cancelled_while_it_died_is_not_started_again(supervisor):
    assert supervisor.decide([job(1, cancel_asked=True)], 0.0) == [Settle(1, "cancelled", None)]


def test_second_cancellation_after_a_restart_asks_again(supervisor):
    jobs = [job(1, "running", cancel_asked=True)]
    assert supervisor.decide(jobs, 0.0) == [Terminate(1)]
    supervisor.ended(jobs[0], 143, 1.0)
    assert supervisor.decide(jobs, 2.0) == [Terminate(1)]


def test_drained_supervisor_queues_its_jobs_again_uncounted(supervisor):
    assert supervisor.decide([job(1, "running"), job(2)], 0.0) == []
    supervisor.drain()
    assert supervisor.decide([job(1, "running"), job(2)], 1.0) == [Terminate(1)]
    assert not supervisor.done(1.0)
    assert supervisor.ended(job(1, "running"), 143, 2.0) == Requeue(1, 0)
    assert supervisor.decide([job(1), job(2)], 2.0) == []
    assert supervisor.done(2.0)


def test_torchrun_asked_to_end_leaves_with_1_and_is_queued_again(supervisor):
    supervisor.drain()
    assert supervisor.ended(job(1, "running"), 1, 2.0) == Requeue(1, 0)


def test_failure_while_draining_is_final(supervisor):
    supervisor.drain()
    assert supervisor.ended(job(1, "running"), 2, 1.0) == Settle(1, "failed", 2)


def test_ends_after_having_had_nothing_to_do_for_a_while(supervisor):
    supervisor.decide([job(1, "running")], 50.0)
    assert not supervisor.done(1000.0)
    supervisor.decide([], 60.0)
    assert not supervisor.done(149.9)
    assert supervisor.done(150.0)


def test_does_not_end_while_a_job_backs_off():
    hasty = Supervisor(SETTINGS.model_copy(update={"idle_s": 0.0}), now_s=0.0)
    hasty.ended(job(1, "running"), -9, 0.0)
    assert hasty.decide([job(1, restarts=1)], 1.0) == []
    assert not hasty.done(1.0)
    hasty.decide([], 1.5)
    assert hasty.done(1.5)


def test_codes_in_words():
    assert describe_code(-9) == "ended by SIGKILL"
    assert describe_code(143) == "ended by SIGTERM"
    assert describe_code(2) == "exit code 2"
    assert describe_code(255) == "ended by signal 127"
    assert describe_code(None) == "never started"
    assert not died(0)
