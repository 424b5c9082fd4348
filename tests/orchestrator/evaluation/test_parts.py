"""Parts by real networks, in this process: their answers are those of the whole, bit by bit."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from functools import partial

import pytest

from orchestrator.evaluation import merging
from orchestrator.evaluation import one_process as evaluations
from orchestrator.evaluation.merging import merge_parts
from orchestrator.evaluation.one_process import run_evaluation
from orchestrator.evaluation.part_choice import Part
from orchestrator.evaluation.scenario_of_codecs import scenario_for
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import Scenario
from orchestrator.results.run_folder import open_ledger
from orchestrator.results.verify import verify_run
from orchestrator.sweep.run import InterruptedRunError
from orchestrator.training.evaluation_process import run_job
from semcom.errors import ConfigurationError
from semcom.evaluation_messages import EncodedImages, EvaluatedPoint, Evaluator
from tests.orchestrator.codecs import write_codec, write_images
from tests.orchestrator.parts import rounding
from tests.semcom.families.semnoma_codec import make_codec

POINTS = {"channels": [{"model": "rayleigh"}], "snr_db": [-5, 5], "seeds": [0, 1]}


class Notes:
    """A watcher that keeps what it is told."""

    told: list[str]

    def __init__(self, plan):
        self.recorded = []
        Notes.told = []

    def progress(self, recorded):
        self.recorded.append(recorded)

    def encoding(self, codec, images, total):
        assert images <= total

    def notice(self, text):
        Notes.told.append(text)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("parted")
    write_images(root / "data" / "tiny")
    write_codec(root / "codecs" / "plain", compression_ratio=0.5)
    write_codec(root / "codecs" / "knowing", compression_ratio=0.5, tx_csi=True, seed=1)
    make_codec(root / "codecs" / "pair", item=(32, 32, 3))
    return Folders(data=root / "data", codecs=root / "codecs", runs=root / "runs")


@pytest.fixture
def here(monkeypatch):
    """The evaluating process inside this one, and what it said; no time is spent on pictures."""
    said = []

    @contextmanager
    def process(job):
        def lines():
            for line in run_job(job):
                said.append(line)
                yield line

        yield lines()

    for module in (evaluations, merging):
        monkeypatch.setattr(module, "write_report", lambda folder, sources: folder)
    monkeypatch.setattr(evaluations, "evaluating_process", process)
    return said


def plain(folders, *codecs):
    wanted = scenario_for(codecs, Catalog(folders.codecs), points=POINTS)
    return wanted.model_copy(update={"frame_images": 9})


def pair():
    return Scenario(
        name="pair",
        links={name: {"dataset": "tiny", "codec": "pair"} for name in ("east", "west")},
        groups={"cell": {"links": ["east", "west"], "powers": {"east": 0.7, "west": 0.3}}},
        snr_db=[0, 10],
        frame_images=9,
    )


def evaluate(scenario, folder, folders, **options):
    return run_evaluation(scenario, folder, folders=folders, watcher=Notes, **options)


@pytest.mark.parametrize("of", [2, 5])
@pytest.mark.parametrize("codecs", [("plain", "knowing"), None])
def test_parts_merge_to_the_digest_of_the_whole(here, folders, tmp_path, codecs, of):
    scenario = pair() if codecs is None else plain(folders, *codecs)
    whole = evaluate(scenario, tmp_path / "whole", folders)
    for number in reversed(range(1, of + 1)):
        part = Part(number, of)
        evaluate(scenario, tmp_path / "parts" / part.folder, folders, part=part)
        assert Notes.told == []
    outcome = merge_parts(tmp_path / "out", [tmp_path / "parts"], runs=folders.runs)
    assert outcome.results_digest == whole.results_digest
    found = verify_run(tmp_path / "out", folders.data)
    assert found.digests.scores == verify_run(tmp_path / "whole").digests.scores
    assert codecs is None or not found.not_judged


def test_parts_together_encode_each_image_once_for_each_codec(here, folders, tmp_path):
    scenario = plain(folders, "plain")
    for number in (1, 2, 3):
        evaluate(scenario, tmp_path / f"{number}", folders, part=Part(number, 3))
    last = {}
    for index, line in enumerate(here):
        if isinstance(line, Evaluator):
            start = index
        if isinstance(line, EncodedImages):
            last[start] = line.images
    assert sum(last.values()) == 60


def test_a_stopped_part_goes_on_where_it_stopped(here, folders, tmp_path):
    class Stopping(Notes):
        def progress(self, recorded):
            if recorded:
                raise InterruptedRunError("stopped")

    scenario, part, folder = plain(folders, "plain"), Part(1, 2), tmp_path / "part-1-of-2"
    with pytest.raises(InterruptedRunError):
        run_evaluation(scenario, folder, folders=folders, watcher=Stopping, part=part)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["kind"], manifest["part"]) == ("part", {"number": 1, "of": 2})
    del here[:]
    evaluate(scenario, folder, folders, part=part)
    assert sum(isinstance(line, EvaluatedPoint) for line in here) == 3
    del here[:]
    evaluate(scenario, folder, folders, part=part)
    assert here == [], "a part that is complete asks for nothing"
    with open_ledger(folder) as ledger:
        assert len(ledger.origins.all()) == 1
        assert ledger.seals


def test_more_parts_than_frames_leave_some_empty(here, folders, tmp_path):
    scenario = plain(folders, "plain").model_copy(update={"images": 9})
    whole = evaluate(scenario, tmp_path / "whole", folders)
    for number in (1, 2, 3):
        part = Part(number, 3)
        evaluate(scenario, tmp_path / "parts" / part.folder, folders, part=part)
    outcome = merge_parts(tmp_path / "out", [tmp_path / "parts"], runs=folders.runs)
    assert outcome.results_digest == whole.results_digest


def test_a_host_that_rounds_otherwise_is_told_before_anything_is_merged(
    here, folders, tmp_path, monkeypatch
):
    scenario = plain(folders, "plain")
    evaluate(scenario, tmp_path / "part-1-of-2", folders, part=Part(1, 2))
    monkeypatch.setattr("orchestrator.training.evaluator._rounding", partial(rounding, "another"))
    evaluate(scenario, tmp_path / "part-2-of-2", folders, part=Part(2, 2))
    (told,) = Notes.told
    assert "does not round as part 1/2" in told
    assert "kernels torch another, not " in told
    assert "\n" not in told


def test_an_evaluation_that_goes_on_elsewhere_says_so(here, folders, tmp_path, monkeypatch):
    class Stopping(Notes):
        def progress(self, recorded):
            if recorded:
                raise InterruptedRunError("stopped")

    scenario = plain(folders, "plain")
    with pytest.raises(InterruptedRunError):
        run_evaluation(scenario, tmp_path / "e", folders=folders, watcher=Stopping)
    monkeypatch.setattr("orchestrator.training.evaluator._rounding", partial(rounding, "another"))
    evaluate(scenario, tmp_path / "e", folders)
    assert len(Notes.told) == 1
    manifest = json.loads((tmp_path / "e" / "manifest.json").read_text())
    assert [each["frames"] for each in manifest["computed_by"]] == [7, 21]


def test_a_part_is_no_whole_and_a_whole_no_part(here, folders, tmp_path):
    scenario = plain(folders, "plain").model_copy(update={"images": 9})
    evaluate(scenario, tmp_path / "part", folders, part=Part(1, 2))
    with pytest.raises(ConfigurationError, match="holds a part of an evaluation, not an evaluat"):
        evaluate(scenario, tmp_path / "part", folders)
    evaluate(scenario, tmp_path / "whole", folders)
    with pytest.raises(ConfigurationError, match="holds an evaluation, not a part of an evalua"):
        evaluate(scenario, tmp_path / "whole", folders, part=Part(1, 2))


def test_an_evaluation_says_who_computed_it(here, folders, tmp_path):
    evaluate(plain(folders, "plain"), tmp_path / "e", folders)
    manifest = json.loads((tmp_path / "e" / "manifest.json").read_text())
    (by,) = manifest["computed_by"]
    assert (by["host"], by["frames"]) == (os.uname().nodename, 28)
    assert by["spans"] == [{"link": "tiny", "codec": "plain", "first": 0, "stop": 7, "points": 4}]
    fingerprint = manifest["fingerprints"][by["fingerprint"]]
    assert fingerprint["format"] == 1
    assert fingerprint["threads"] == {"transmitter": 1, "receiver": 1}
    assert len(fingerprint["rounding"]["torch on 1"]) == 64
