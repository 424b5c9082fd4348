"""Jobs as real processes under one supervisor: each comes to its end, once."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator

import psutil
import pytest
from prometheus_client.parser import text_string_to_metric_families

from orchestrator.jobs import instance
from orchestrator.plan.catalog import Catalog
from tests.orchestrator.jobs.queues import Queue, gone, kill, opened

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def queue(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Queue]:
    """A queue with a supervisor, for all tests of this module; each names its own jobs."""
    with opened(tmp_path_factory.mktemp("queue"), parallel=2, grace_s=1e3) as queue:
        queue.supervise()
        yield queue


def test_finished_job_has_its_codec_registered(queue):
    job = queue.wait_state(queue.submit("plain"), "done")
    assert job.digest == Catalog(queue.root / "codecs").verified("plain").digest
    assert (job.exit_code, job.restarts, job.attempts, job.pid) == (0, 0, 1, None)
    assert job.started_s is not None
    assert job.finished_s is not None
    assert queue.did("plain", "finished") == 1


def test_job_without_a_codec_has_failed(queue):
    job_id = queue.submit("no-codec", "--no-codec")
    job = queue.wait_state(job_id, "failed")
    assert job.exit_code == 6
    assert "no codec 'no-codec'" in str(job.error)


def test_job_that_ends_before_the_export_is_done_without_a_codec(queue):
    job = queue.wait_state(queue.submit("teacher", "--no-codec", "--until", "teacher"), "done")
    assert job.digest is None


def test_failure_shows_its_error_line_and_is_not_tried_again(queue):
    job = queue.wait_state(queue.submit("failing", "--fail", 2), "failed")
    assert job.error == "exit code 2: no data set of this name; prepare it"
    assert (job.exit_code, job.attempts) == (2, 1)


def test_job_killed_by_a_signal_goes_on_from_its_checkpoint(queue):
    job = queue.wait_state(queue.submit("crashing", "--crash", 2), "done")
    assert (job.restarts, job.attempts) == (2, 3)
    history = queue.history("crashing")
    assert [line for line in history if line.startswith("step")] == ["step 0", "step 1", "step 2"]
    assert queue.did("crashing", "begin") == 3


def test_job_that_always_dies_fails_in_the_end(queue):
    job = queue.wait_state(queue.submit("doomed", "--fail", 70), "failed")
    assert (job.restarts, job.attempts, job.exit_code) == (3, 4, 70)


def test_cancelled_job_saves_and_goes_on_after_a_restart(queue, tmp_path):
    job_id = queue.submit("cancelled", "--gate", tmp_path / "gate")
    queue.wait_waiting("cancelled")
    queue.store.cancel(job_id, 0.0)
    job = queue.wait_state(job_id, "cancelled")
    assert (job.exit_code, queue.did("cancelled", "saved")) == (143, 1)
    (tmp_path / "gate").touch()
    queue.store.restart(job_id)
    assert queue.wait_state(job_id, "done").restarts == 0
    history = queue.history("cancelled")
    assert [line for line in history if line.startswith("step")] == ["step 0", "step 1", "step 2"]


def test_job_that_does_not_follow_is_killed_after_the_grace(tmp_path):
    with opened(tmp_path, grace_s=0.1) as queue:
        job_id = queue.submit("deaf", "--deaf", "--gate", tmp_path / "gate")
        queue.supervise()
        queue.wait_waiting("deaf")
        training = psutil.Process(queue.last_pid("deaf"))
        queue.store.cancel(job_id, 0.0)
        queue.wait_state(job_id, "cancelled")
        assert gone(training)
        assert queue.did("deaf", "saved") == 0


def test_stopped_job_can_be_cancelled(queue, tmp_path):
    job_id = queue.submit("stopped", "--gate", tmp_path / "gate")
    queue.wait_waiting("stopped")
    psutil.Process(queue.last_pid("stopped")).suspend()
    queue.store.cancel(job_id, 0.0)
    queue.wait_state(job_id, "cancelled")


def test_worker_in_a_session_of_its_own_does_not_outlive_its_job(queue):
    job_id = queue.submit("parent", "--orphan", "--crash", 1)
    queue.wait_state(job_id, "done")
    pids = [int(line.split()[1]) for line in queue.history("parent") if line.startswith("worker")]
    assert len(pids) == 2
    for pid in pids:
        queue.wait(lambda pid=pid: not psutil.pid_exists(pid) or gone(psutil.Process(pid)), "gone")


def test_training_whose_runner_was_killed_is_ended_before_it_is_started_again(queue, tmp_path):
    job_id = queue.submit("orphaned", "--gate", tmp_path / "gate")
    queue.wait_waiting("orphaned")
    training = psutil.Process(queue.last_pid("orphaned"))
    kill(training.ppid())
    queue.wait_waiting("orphaned", times=2)
    assert gone(training)
    (tmp_path / "gate").touch()
    assert queue.wait_state(job_id, "done").restarts == 1
    assert queue.did("orphaned", "twice") == 0


def test_job_whose_folder_is_gone_fails_with_the_reason(queue, tmp_path):
    there = queue.root
    queue.root = tmp_path / "nowhere"
    try:
        job_id = queue.submit("homeless")
    finally:
        queue.root = there
    job = queue.wait_state(job_id, "failed")
    assert "cannot be started" in str(job.error)
    assert job.exit_code == 7


def page(queue: Queue, name: str) -> str:
    found = instance.find(queue.folder)
    assert found is not None
    url = found.metrics.removesuffix("metrics") + name
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def value(queue: Queue, name: str, **labels: str) -> float:
    samples = (s for f in text_string_to_metric_families(page(queue, "metrics")) for s in f.samples)
    found = [s.value for s in samples if s.name == f"semcom_{name}" and s.labels == labels]
    assert len(found) == 1, (name, labels, found)
    return found[0]


def test_running_job_is_seen_by_prometheus_and_leaves_no_trace_in_the_gauges(queue, tmp_path):
    assert page(queue, "livez") == page(queue, "readyz") == "ok\n"
    samples = value(queue, "training_samples_total", dataset="shapes10")
    restarts = value(queue, "training_restarts_total", dataset="shapes10")
    done = value(queue, "jobs", state="done")
    at = {"dataset": "shapes10", "stage": "stage1"}
    job_id = queue.submit("measured", "--gate", tmp_path / "gate", "--crash", 1, "--steps", 4)
    queue.wait_waiting("measured")

    queue.wait(lambda: value(queue, "training_loss", **at, term="kd") == 0.5, "the loss")
    queue.wait(lambda: value(queue, "training_progress_ratio", **at) == 0.75, "the progress")
    assert value(queue, "training_learning_rate", **at) == 0.25
    assert value(queue, "training_images_per_second", **at) == 128
    assert value(queue, "training_step_seconds", **at) > 0
    assert value(queue, "training_checkpoint_age_seconds", dataset="shapes10") >= 0
    assert value(queue, "training_samples_total", dataset="shapes10") > samples
    assert value(queue, "training_restarts_total", dataset="shapes10") == restarts + 1
    assert value(queue, "jobs", state="running") == 1

    (tmp_path / "gate").touch()
    queue.wait_state(job_id, "done")
    queue.wait(lambda: value(queue, "jobs", state="done") == done + 1, "it is counted")
    assert value(queue, "jobs", state="running") == 0
    assert value(queue, "training_progress_ratio", **at) == 0
    assert value(queue, "training_loss", **at, term="kd") == 0
    assert value(queue, "training_loss", dataset="cifar10", stage="stage2", term="re") == 0
