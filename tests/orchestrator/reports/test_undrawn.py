"""A drawing that fails is no failure of the run: it is whole, and one line says how to draw it."""

from __future__ import annotations

import json
import sys
import time

import pytest

from orchestrator.cli import main as cli
from orchestrator.cli.outcome_lines import print_outcome
from orchestrator.live.status_view import sweep_line
from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.plan.scenario import Scenario
from orchestrator.reports import metric_plot, report
from orchestrator.reports.report import write_report
from orchestrator.reports.separate_process import write_report_apart
from orchestrator.results.ledger import Ledger
from orchestrator.results.run_folder import read_run
from orchestrator.results.summary import write_results_csv
from orchestrator.results.verify import verify_run
from orchestrator.sweep.run import BegunRun, draw, finish_run
from orchestrator.sweep.state import Sweep
from semcom.errors import ReportError, StorageError
from semcom.tasks.classification import ACCURACY
from tests.orchestrator.ledgers import fake_link, fake_plan, fill_ledger, write_manifest

FAILURES = (
    ValueError("'yerr' must not contain negative values"),
    MemoryError(),
    ImportError("no module [matplotlib]\nat all"),
    RecursionError("too deep"),
    ZeroDivisionError("division by zero"),
)


@pytest.fixture
def undrawable(monkeypatch, request):
    """Whatever is drawn raises."""

    def fail(*args, **options):
        raise request.param

    monkeypatch.setattr(metric_plot, "metric_png", fail)
    return request.param


def begun(folder):
    """A sweep whose frames are all recorded, at the moment when it is finished."""
    plan = fake_plan(snr_db=(0.0,))
    fill_ledger(folder, plan)
    ledger = Ledger(folder / "ledger.sqlite", plan)
    sweep = Sweep(ledger.plan, recorded=ledger.recorded_frames(), window=1, encode_once=False)
    scenario = Scenario.model_validate(
        {"name": "s", "links": {"a": {"dataset": "d", "codec": "c"}}, "snr_db": [0]}
    )
    codecs = [
        CodecFacts(
            name=codec.name,
            digest=codec.digest,
            dataset=link.dataset,
            system=codec.system,
            compression_ratio=0.8,
            feature_dim=8,
            codeword_dim=4,
            symbols=2,
            parameters={},
        )
        for link in plan.links.values()
        for codec in link.codecs
    ]
    return BegunRun(scenario, folder, ledger, sweep, codecs, time.monotonic())


@pytest.mark.parametrize("undrawable", FAILURES, indirect=True, ids=lambda e: type(e).__name__)
def test_a_sweep_is_finished_and_says_why_there_is_no_report(undrawable, tmp_path, capsys):
    outcome = finish_run(begun(tmp_path), write_report)
    assert outcome.report is None
    assert type(undrawable).__name__ in outcome.undrawn
    assert read_run(tmp_path).results_digest == outcome.results_digest
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    assert manifest["results_digest"] == outcome.results_digest
    print_outcome(outcome)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 3
    assert lines[1] == f"results: {tmp_path / 'results.csv'}"
    assert lines[0].startswith(f"results digest {outcome.results_digest}")
    assert lines[2].startswith("no report: cannot draw ")
    assert lines[2].endswith(f"; draw it with: semcom report {tmp_path}")


@pytest.mark.parametrize("undrawable", FAILURES, indirect=True, ids=lambda e: type(e).__name__)
def test_semcom_report_ends_with_its_own_code_and_one_line(
    undrawable, tmp_path, monkeypatch, capsys
):
    run = fill_ledger(tmp_path / "run", fake_plan(snr_db=(0.0,)))
    monkeypatch.setattr(sys, "argv", ["semcom", "report", str(run)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    error = capsys.readouterr().err
    assert ended.value.code == ReportError.exit_code == 9
    assert error.startswith(
        f"error: cannot draw {run / 'report.html'}: {type(undrawable).__name__}"
    )
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    "error", [StorageError("cannot write x: no space"), OSError(28, "No space"), KeyError("x")]
)
def test_whatever_a_reporter_raises_is_only_told(error, tmp_path):
    def reporter(folder, sources, *, data):
        raise error

    page, why = draw(tmp_path, reporter)
    assert page is None
    assert str(error) in why
    assert draw(tmp_path, None) == (None, None)


def test_the_run_and_its_data_sets_are_told(tmp_path):
    told = []

    def reporter(folder, sources, *, data):
        told.append((folder, sources, data))
        return folder / "report.html"

    assert draw(tmp_path, reporter, data=tmp_path / "sets")[1] is None
    assert told == [(tmp_path, [tmp_path], tmp_path / "sets")]


def test_a_full_disk_under_a_picture_is_told(tmp_path, monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    run = fill_ledger(tmp_path / "run", fake_plan(snr_db=(0.0,)))
    monkeypatch.setattr(report, "write_atomically", full)
    monkeypatch.setattr(report, "_sections", lambda *_: ([], {"accuracy": (b"", b"")}))
    page, why = draw(run, write_report)
    assert page is None
    reason = "No space left on device; choose another folder with --out"
    assert why == f"cannot write {run / 'report.html'}: {reason}"


def test_a_report_drawn_apart_tells_the_same(tmp_path):
    """As a live system draws it: in a process of its own, which ends with a code."""
    page, why = draw(tmp_path / "empty", write_report_apart)
    assert page is None
    assert why.startswith("no report of ")


def test_a_live_system_tells_it():
    sweep = {
        "name": "s", "state": "done", "recorded": 1, "planned": 1, "waiting": [],
        "results_digest": "0" * 64, "report": None, "undrawn": "ValueError: [x]", "error": None,
    }  # fmt: skip
    assert (
        sweep_line(sweep)
        == "sweep s: done, results digest 000000000000, no report: ValueError: [x]"
    )
    del sweep["undrawn"]  # of an earlier version
    assert sweep_line(sweep) == "sweep s: done, results digest 000000000000"


@pytest.mark.parametrize("share", [0, 1])
@pytest.mark.parametrize("images", [10, 14, 100, 299])
def test_a_run_that_got_all_or_nothing_right_is_reported(images, share, tmp_path):
    """Their intervals end where the share is: matplotlib takes no bar below nothing."""
    plan = fake_plan({"a": fake_link("d", images=images)}, snr_db=(0.0, 5.0), frame_images=images)
    changes = {("a", point, 0): {"correct": share * images} for point in range(len(plan.points))}
    folder = fill_ledger(tmp_path, plan, changes=changes)
    write_manifest(folder, plan)
    run = read_run(folder)
    write_results_csv(folder / "results.csv", run.summary)
    ends = {ACCURACY.interval(point.score)[share] for point in run.summary.points}
    assert ends == {float(share)}
    score = {"items": 4 * images, "correct": 4 * share * images}
    assert verify_run(folder).scores == {"classification": score}
    metric_plot.metric_figure(report.metric_curves([run], ACCURACY))
