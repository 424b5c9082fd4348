"""Units that workers compute, in any order: recorded whole, with the digest of one process.

The workers are in this process, but for one test; Ray's are in `tests/cluster`.
"""

from __future__ import annotations

import json
import random
import signal
from contextlib import contextmanager

import pytest

from orchestrator.evaluation import on_cluster, unit_worker
from orchestrator.evaluation import one_process as evaluations
from orchestrator.evaluation.on_cluster import run_on_cluster
from orchestrator.evaluation.one_process import run_evaluation
from orchestrator.evaluation.scenario_of_codecs import scenario_for
from orchestrator.evaluation.unit_worker import compute_unit
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import Folders
from orchestrator.results.run_folder import open_ledger
from orchestrator.results.verify import verify_run
from orchestrator.sweep.run import InterruptedRunError
from orchestrator.training.evaluation_process import run_job
from orchestrator.training.last_codec import LastCodec
from semcom.errors import CheckpointError, ConfigurationError, ProcessFailedError
from semcom.evaluation_messages import EncodedImages, EvaluationError, Evaluator, parse_line
from tests.orchestrator.codecs import write_codec, write_images
from tests.orchestrator.parts import rounding

POINTS = {"channels": [{"model": "rayleigh"}], "snr_db": [-5, 5], "seeds": [0]}
FRAMES = 20


class Notes:
    """A watcher that keeps what it is told."""

    def __init__(self, plan):
        self.told = Notes.last = []

    def progress(self, recorded):
        pass

    def encoding(self, codec, images, total):
        pytest.fail("workers do not tell of images")

    def notice(self, text):
        self.told.append(text)


class Workers:
    """Two workers; what they computed, and what was cancelled."""

    workers = 2

    def __init__(self, *, stop_after=None, host=None):
        self.jobs = []
        self.threads = None
        self.cancelled = False
        self._stop_after = stop_after
        self._host = host

    @contextmanager
    def __call__(self, threads):
        self.threads = threads
        yield self

    def compute(self, jobs):
        order = random.Random(1).sample(list(jobs), len(jobs))
        codecs, done = LastCodec(), 0
        try:
            for job in order:
                self.jobs.append(job)
                lines = [
                    line for line in run_job(job, codecs) if not isinstance(line, EncodedImages)
                ]
                if done == self._stop_after:
                    signal.raise_signal(signal.SIGINT)
                done += 1
                yield job, lines
        finally:
            self.cancelled = done < len(order)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("clustered")
    write_images(root / "data" / "tiny")
    write_codec(root / "codecs" / "plain", compression_ratio=0.5)
    write_codec(root / "codecs" / "other", compression_ratio=0.5, seed=1)
    return Folders(data=root / "data", codecs=root / "codecs", runs=root / "runs")


@pytest.fixture
def scenario(folders):
    wanted = scenario_for(["plain", "other"], Catalog(folders.codecs), points=POINTS)
    return wanted.model_copy(update={"frame_images": 60 // FRAMES})


@pytest.fixture(scope="module")
def wholes():
    return {}


@pytest.fixture
def whole(scenario, folders, tmp_path, monkeypatch, wholes):
    """The results digest of one process, once; no time is spent on pictures."""
    for module in (evaluations, on_cluster):
        monkeypatch.setattr(module, "write_report", lambda folder, sources: folder)

    @contextmanager
    def here(job):
        yield run_job(job)

    class Silent(Notes):
        def encoding(self, codec, images, total):
            pass

    if not wholes:
        monkeypatch.setattr(evaluations, "evaluating_process", here)
        outcome = run_evaluation(scenario, tmp_path / "one", folders=folders, watcher=Silent)
        wholes["digest"] = outcome.results_digest
    return wholes["digest"]


def evaluate(scenario, folder, folders, workers):
    return run_on_cluster(scenario, folder, folders=folders, watcher=Notes, cluster=workers)


def test_units_in_any_order_give_the_digest_of_one_process(whole, scenario, folders, tmp_path):
    workers = Workers()
    outcome = evaluate(scenario, tmp_path / "run", folders, workers)
    assert outcome.results_digest == whole
    assert verify_run(tmp_path / "run").sealed
    assert workers.threads == 1
    assert 15 <= len(workers.jobs) <= 25, "about ten units for each worker"
    assert all(len(job.tasks) == 1 for job in workers.jobs)
    assert Notes.last == []


def test_ctrl_c_cancels_and_what_was_recorded_is_not_computed_again(
    whole, scenario, folders, tmp_path
):
    stopped = Workers(stop_after=5)
    with pytest.raises(InterruptedRunError) as caught:
        evaluate(scenario, tmp_path / "run", folders, stopped)
    assert caught.value.exit_code == 130
    assert stopped.cancelled
    with open_ledger(tmp_path / "run") as ledger:
        held = {key: len(frames) for key, frames in ledger.recorded_frames().items()}
        spans = sum(s.stop - s.first for each in ledger.origins.computed().values() for s in each)
    assert 0 < sum(held.values()) == spans < 4 * FRAMES
    rest = Workers()
    assert evaluate(scenario, tmp_path / "run", folders, rest).results_digest == whole
    computed = sum(
        (task.stop - task.first) * len(task.points) for job in rest.jobs for task in job.tasks
    )
    assert computed == 4 * FRAMES - sum(held.values())
    again = Workers()
    evaluate(scenario, tmp_path / "run", folders, again)
    assert again.jobs == []


def test_workers_that_round_differently_are_told_apart_once(
    whole, scenario, folders, tmp_path, monkeypatch
):
    told = iter(range(10_000))
    monkeypatch.setattr(
        "orchestrator.training.evaluator._rounding",
        lambda engine, threads: rounding(f"kind {next(told) // 2 % 2}", engine, threads),
    )
    evaluate(scenario, tmp_path / "run", folders, Workers())
    (line,) = Notes.last
    assert "kernels torch kind" in line
    manifest = json.loads((tmp_path / "run" / "manifest.json").read_text())
    assert len(manifest["computed_by"]) == len(manifest["fingerprints"]) == 2
    assert sum(each["frames"] for each in manifest["computed_by"]) == 4 * FRAMES


def test_what_a_worker_refuses_is_the_commands_exit_code(whole, scenario, folders, tmp_path):
    class Refusing(Workers):
        def compute(self, jobs):
            yield jobs[0], [EvaluationError(exit_code=6, detail="codec damaged")]

    with pytest.raises(ProcessFailedError, match="codec damaged") as caught:
        evaluate(scenario, tmp_path / "run", folders, Refusing())
    assert caught.value.exit_code == CheckpointError.exit_code


def test_kept_answers_would_stay_with_the_workers(scenario, folders, tmp_path):
    keeping = scenario.model_copy(update={"keep_answers": True})
    with pytest.raises(ConfigurationError, match="use --part"):
        evaluate(keeping, tmp_path / "run", folders, Workers())
    assert not (tmp_path / "run").exists()


def test_a_worker_keeps_its_process_until_a_unit_is_refused(
    whole, scenario, folders, tmp_path, monkeypatch
):
    workers, started = Workers(), []
    evaluate(scenario, tmp_path / "run", folders, workers)
    first, second = workers.jobs[:2]
    make = unit_worker.JobProcess
    monkeypatch.setattr(unit_worker, "JobProcess", lambda: started.append(make()) or started[-1])
    try:
        for job in (first, second):
            lines = [parse_line(text.encode()) for text in compute_unit(job.model_dump_json())]
            assert isinstance(lines[0], Evaluator)
            assert lines[1:-1] == list(run_job(job))[-len(lines[1:-1]) :]
        assert len(started) == 1
        task = first.tasks[0].model_copy(update={"codec_digest": "0" * 64})
        wrong = first.model_copy(update={"tasks": [task]})
        (*_, last) = compute_unit(wrong.model_dump_json())
        assert isinstance(parse_line(last.encode()), EvaluationError)
        compute_unit(first.model_dump_json())
        assert len(started) == 2
    finally:
        while unit_worker._kept:
            unit_worker._kept.pop().close()
