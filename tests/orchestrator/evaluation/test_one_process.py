"""`semcom evaluate`: one encoding per image, every point kept, what is there is not done again."""

from __future__ import annotations

import csv
import json
import signal
from contextlib import contextmanager

import numpy as np
import pytest

from orchestrator.evaluation import one_process as evaluations
from orchestrator.evaluation.one_process import run_evaluation
from orchestrator.evaluation.scenario_of_codecs import scenario_for
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.codec_facts import PARTS, codec_facts
from orchestrator.plan.folders import Folders
from orchestrator.results.run_folder import open_ledger
from orchestrator.results.verify import verify_run
from orchestrator.sweep.run import InterruptedRunError, RunOptions, run_sweep
from orchestrator.training.evaluation_process import run_job
from orchestrator.training.reference import evaluate
from receiver.codec import ReceiverCodec
from semcom.checkpoints import open_checkpoint
from semcom.errors import ConfigurationError, SemcomError
from semcom.evaluation_messages import EncodedImages, EvaluatedPoint, EvaluationError
from semcom.shards import Shard
from tests.orchestrator.codecs import write_codec, write_images
from tests.orchestrator.ledgers import fake_plan, fill_ledger, write_manifest
from transmitters.codec import TransmitterCodec

POINTS = {
    "channels": [{"model": "awgn"}, {"model": "rayleigh"}],
    "snr_db": [-5, 5],
    "seeds": [0, 1],
}
CODECS = ("student", "teacher", "cat")


class Silent:
    """A watcher that nobody watches."""

    def __init__(self, plan):
        self.plan = plan

    def progress(self, recorded):
        pass

    def encoding(self, codec, images, total):
        assert images <= total

    def notice(self, text):
        pytest.fail(text)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("evaluated")
    write_images(root / "data" / "tiny")
    write_codec(root / "codecs" / "student", system="jscc-student")
    write_codec(root / "codecs" / "teacher", system="jscc-teacher")
    write_codec(root / "codecs" / "cat", compression_ratio=0.5)
    write_codec(root / "codecs" / "knowing", compression_ratio=0.5, tx_csi=True)
    return Folders(data=root / "data", codecs=root / "codecs", runs=root / "runs")


@pytest.fixture
def undrawn(monkeypatch):
    """No time is spent on pictures."""
    monkeypatch.setattr(evaluations, "write_report", lambda folder, sources: folder)


@pytest.fixture
def here(monkeypatch, undrawn):
    """The evaluating process inside this one; what it was asked and what it said."""
    said = []

    @contextmanager
    def process(job):
        said.append(job)

        def lines():
            for line in run_job(job):
                said.append(line)
                yield line

        yield lines()

    monkeypatch.setattr(evaluations, "evaluating_process", process)
    return said


def scenario(folders, *codecs, **points):
    return scenario_for(codecs or CODECS, Catalog(folders.codecs), points=POINTS | points)


def rows(folder):
    with (folder / "results.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def evaluated(folders, tmp_path_factory):
    """An evaluation by a process of its own."""
    folder = tmp_path_factory.mktemp("evaluation") / "all"
    outcome = run_evaluation(scenario(folders), folder, folders=folders, watcher=Silent)
    return folder, outcome


class TestResults:
    def test_every_system_has_every_point_with_its_interval(self, evaluated):
        found = rows(evaluated[0])
        assert len(found) == 3 * 2 * 2 * 2
        assert {row["system"] for row in found} == {"rkd-sc", "jscc-student", "jscc-teacher"}
        for row in found:
            assert int(row["images"]) == 60
            assert float(row["ci95_low"]) <= float(row["accuracy"]) <= float(row["ci95_high"])

    def test_what_only_a_link_has_is_left_empty(self, evaluated):
        empty = ("round_trip_p50_ms", "encode_ms", "channel_ms", "decode_ms", "retransmissions")
        assert all(row[column] == "" for row in rows(evaluated[0]) for column in empty)

    def test_predictions_are_those_of_the_reference(self, evaluated, folders):
        shard = Shard(folders.data / "tiny", "test")
        with open_ledger(evaluated[0]) as ledger:
            plan = ledger.plan
            found = {(row.link, row.point): row.answer for row in ledger.rows()}
        answers = set()
        for (link, point), predictions in found.items():
            codec = open_checkpoint(folders.codecs / plan.codec_at(link, point).name)
            expected = evaluate(codec, shard, plan.points[point].spec, link=link)
            np.testing.assert_array_equal(np.frombuffer(predictions, dtype="<u2"), expected.answers)
            answers |= set(expected.answers)
        assert len(answers) > 1

    def test_folder_passes_the_check_of_runs(self, evaluated):
        folder, outcome = evaluated
        verified = verify_run(folder)
        assert verified.results_digest == outcome.results_digest
        assert "results.csv" in verified.compared

    def test_manifest_tells_what_reports_need_of_codecs(self, evaluated, folders):
        manifest = json.loads((evaluated[0] / "manifest.json").read_text())
        assert manifest["kind"] == "evaluation"
        assert manifest["threads"] == {"transmitter": 1, "receiver": 1}
        assert "torch" in manifest["versions"]
        found = {codec["name"]: codec for codec in manifest["codecs"]}
        assert (found["cat"]["compression_ratio"], found["cat"]["codeword_dim"]) == (0.5, 16)
        assert (found["student"]["compression_ratio"], found["student"]["codeword_dim"]) == (0, 32)
        assert found["cat"]["teacher_parameters"] == 1_000_000

    def test_report_lies_beside_it(self, evaluated):
        folder, outcome = evaluated
        assert outcome.report == folder / "report.html"
        assert (folder / "systems.png").exists()
        assert not (folder / "latency.png").exists()


@pytest.mark.parametrize("name", CODECS)
def test_facts_count_the_parameters_that_torch_counts(name, folders):
    checkpoint = open_checkpoint(folders.codecs / name)
    modules = {
        **TransmitterCodec.load(checkpoint).modules,
        **ReceiverCodec.load(checkpoint).modules,
    }
    counted = {part: sum(p.numel() for p in modules[part].parameters()) for part in PARTS}
    assert codec_facts(checkpoint).parameters == counted


class TestWork:
    def test_each_image_is_encoded_once_per_codec(self, here, folders, tmp_path, monkeypatch):
        encoded = []
        original = TransmitterCodec.encode

        def counting(codec, images, *, snr_db):
            encoded.append(len(images))
            return original(codec, images, snr_db=snr_db)

        monkeypatch.setattr(TransmitterCodec, "encode", counting)
        run_evaluation(scenario(folders), tmp_path / "e", folders=folders, watcher=Silent)
        assert encoded.count(60) == 3  # and each codec's probe on loading

    def test_a_codec_that_knows_the_snr_encodes_for_each(self, here, folders, tmp_path):
        wanted = scenario(folders, "knowing")
        run_evaluation(wanted, tmp_path / "e", folders=folders, watcher=Silent)
        encoded = [line.images for line in here if isinstance(line, EncodedImages)]
        assert encoded == [60, 60]
        shard = Shard(folders.data / "tiny", "test")
        codec = open_checkpoint(folders.codecs / "knowing")
        for line in here:
            if isinstance(line, EvaluatedPoint):
                task = here[0].tasks[line.task]
                spec = next(point.spec for point in task.points if point.point == line.point)
                expected = evaluate(codec, shard, spec, link="tiny")
                assert b"".join(each.answer for each in line.frames) == expected.answers.tobytes()

    def test_finished_points_are_kept_after_a_stop(self, undrawn, folders, tmp_path, monkeypatch):
        jobs = []

        @contextmanager
        def stopping(job):
            jobs.append(job)

            def lines():
                for line in run_job(job):
                    yield line
                    if len(jobs) == 1 and isinstance(line, EvaluatedPoint):
                        raise InterruptedRunError("stopped after the first point")

            yield lines()

        monkeypatch.setattr(evaluations, "evaluating_process", stopping)
        wanted = scenario(folders, "cat")
        with pytest.raises(InterruptedRunError):
            run_evaluation(wanted, tmp_path / "e", folders=folders, watcher=Silent)
        stopped = run_evaluation(wanted, tmp_path / "e", folders=folders, watcher=Silent)
        whole = run_evaluation(wanted, tmp_path / "w", folders=folders, watcher=Silent)
        assert [len(job.tasks[0].points) for job in jobs] == [8, 7, 8]
        assert stopped.results_digest == whole.results_digest
        run_evaluation(wanted, tmp_path / "w", folders=folders, watcher=Silent)
        assert len(jobs) == 3, "a finished evaluation asks for nothing"

    @pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
    def test_a_signal_ends_it_with_its_exit_code_and_keeps_what_is_there(
        self, number, code, undrawn, folders, tmp_path
    ):
        class Asking(Silent):
            def progress(self, recorded):
                if recorded:
                    signal.raise_signal(number)

        wanted = scenario(folders, "cat")
        with pytest.raises(InterruptedRunError, match="interrupted") as caught:
            run_evaluation(wanted, tmp_path / "e", folders=folders, watcher=Asking)
        assert caught.value.exit_code == code
        with open_ledger(tmp_path / "e") as ledger:
            assert len(ledger.recorded_frames()) == 1
        stopped = run_evaluation(wanted, tmp_path / "e", folders=folders, watcher=Silent)
        whole = run_evaluation(wanted, tmp_path / "w", folders=folders, watcher=Silent)
        assert stopped.results_digest == whole.results_digest


class TestRefusals:
    def test_another_codec_needs_another_folder(self, here, folders, tmp_path):
        few = {"seeds": [0], "snr_db": [0]}
        run_evaluation(scenario(folders, "cat", **few), tmp_path, folders=folders, watcher=Silent)
        with pytest.raises(ConfigurationError, match="another plan"):
            run_evaluation(
                scenario(folders, "student", **few), tmp_path, folders=folders, watcher=Silent
            )

    def test_folder_of_a_run_is_not_filled_up(self, folders, tmp_path):
        fill_ledger(tmp_path, fake_plan())
        with pytest.raises(ConfigurationError, match="holds a run"):
            run_evaluation(scenario(folders), tmp_path, folders=folders, watcher=Silent)

    def test_folder_of_an_evaluation_is_not_resumed_as_a_run(self, folders, tmp_path):
        plan = fake_plan()
        write_manifest(fill_ledger(tmp_path, plan), plan, kind="evaluation")
        options = RunOptions(resume=True)
        with pytest.raises(ConfigurationError, match="holds an evaluation"):
            run_sweep(scenario(folders), tmp_path, folders=folders, watcher=Silent, options=options)

    def test_exit_code_of_the_process_becomes_the_commands(self, folders, tmp_path, monkeypatch):
        @contextmanager
        def failing(job):
            yield iter([EvaluationError(exit_code=6, detail="codec damaged")])

        monkeypatch.setattr(evaluations, "evaluating_process", failing)
        with pytest.raises(SemcomError, match="codec damaged") as caught:
            run_evaluation(scenario(folders), tmp_path, folders=folders, watcher=Silent)
        assert caught.value.exit_code == 6

    def test_a_process_that_dies_is_an_error(self, folders, tmp_path, monkeypatch):
        monkeypatch.setattr(evaluations, "PROCESS", "no_such_module")
        with pytest.raises(SemcomError, match="ended with exit code 1"):
            run_evaluation(scenario(folders), tmp_path, folders=folders, watcher=Silent)

    def test_answers_that_do_not_fit_the_plan_are_refused(self, folders, tmp_path, monkeypatch):
        @contextmanager
        def short(job):
            yield iter([EvaluatedPoint(task=0, point=0, link="tiny", frames=[])])

        monkeypatch.setattr(evaluations, "evaluating_process", short)
        with pytest.raises(SemcomError, match="wrong totals"):
            run_evaluation(scenario(folders), tmp_path, folders=folders, watcher=Silent)
