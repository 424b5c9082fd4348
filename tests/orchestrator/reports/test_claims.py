"""The paper's claims: what answers them, what leaves them out, and the verdicts."""

from __future__ import annotations

import pytest

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.reports.claims import (
    CLAIMS,
    Evidence,
    claims_table,
    evidence_of,
    evidence_of_results,
)
from orchestrator.reports.report import markdown_report, write_report
from orchestrator.results.run_folder import read_run, read_run_manifest
from orchestrator.results.summary import format_results_csv
from tests.orchestrator.ledgers import fake_codec, fake_link, fake_plan, fill_ledger, write_manifest
from tests.orchestrator.records import fake_facts, write_search

SYSTEMS = {"ours": "rkd-sc", "js": "jscc-student", "jt": "jscc-teacher"}
FACTS = fake_facts("ours", "cifar10", ratio=0.8)


def evaluation(folder, codecs=SYSTEMS):
    link = fake_link("cifar10", *(fake_codec(name, system) for name, system in codecs.items()))
    plan = fake_plan({"cifar10": link}, snr_db=(-10.0, 25.0), seeds=(0, 1))
    write_manifest(fill_ledger(folder, plan), plan, kind="evaluation", codecs=[FACTS])
    return folder


def verdicts(**evidence):
    table = claims_table([Evidence(dataset="cifar10", **evidence)])
    return {} if table is None else {row[0]: (row[3], row[5]) for row in table.rows}


def accuracies(ours, student, teacher):
    named = {"rkd-sc": ours, "jscc-student": student, "jscc-teacher": teacher}
    return {system: dict(zip((25.0, -10.0), found, strict=True)) for system, found in named.items()}


def test_gains_are_relative_and_shares_are_shares():
    found = verdicts(accuracies=accuracies((0.9, 0.6), (0.8, 0.5), (0.92, 0.3)))
    assert found == {
        "accuracy kept against JSCC-teacher at 25 dB": ("97.83 %", "reproduced"),
        "gain over JSCC-teacher at -10 dB": ("100.00 %", "reproduced"),
        "gain over JSCC-student at 25 dB": ("12.50 %", "reproduced"),
        "least gain over JSCC-student, at any SNR": ("12.50 %", "reproduced"),
    }


def test_less_than_the_paper_is_partly_or_not():
    found = verdicts(accuracies=accuracies((0.8, 0.4), (0.8, 0.5), (0.92, 0.3)))
    assert found == {
        "accuracy kept against JSCC-teacher at 25 dB": ("86.96 %", "partly"),
        "gain over JSCC-teacher at -10 dB": ("33.33 %", "partly"),
        "gain over JSCC-student at 25 dB": ("0.00 %", "not"),
        "least gain over JSCC-student, at any SNR": ("-20.00 %", "not"),
    }
    found = verdicts(accuracies=accuracies((0.5, 0.2), (0.8, 0.5), (0.92, 0.3)))
    assert {verdict for _, verdict in found.values()} == {"not"}


def test_parameters_and_searches_are_compared():
    found = verdicts(
        parameters=(3_000_000, 24_000_000),
        searched={"kdl-darts": [700, 900], "darts": [1000, 1000, 1300]},
    )
    assert found == {
        "parameters of the transmitter below the teacher's": ("87.50 %", "partly"),
        "parameters that KDL-DARTS finds below those of DARTS": ("27.27 %", "partly"),
    }


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"accuracies": {"rkd-sc": {25.0: 0.9, -10.0: 0.5}}},
        {"accuracies": {"rkd-sc": {25.0: 0.9}, "jscc-teacher": {0.0: 0.9}}},
        {"searched": {"kdl-darts": [700]}},
    ],
)
def test_a_claim_that_nothing_answers_is_left_out(evidence):
    assert verdicts(**evidence) == {}


def test_every_claim_is_about_the_three_data_sets():
    assert {frozenset(claim.paper) for claim in CLAIMS} == {
        frozenset({"cifar10", "cifar100", "tiny-imagenet"})
    }
    assert (
        claims_table([Evidence(dataset="shapes10", accuracies=accuracies((1, 1), (1, 1), (1, 1)))])
        is None
    )


def test_a_runs_csv_and_manifest_are_the_same_evidence(tmp_path):
    run = read_run(evaluation(tmp_path))
    codecs = [CodecFacts.model_validate(each) for each in read_run_manifest(tmp_path)["codecs"]]
    text = format_results_csv(run.summary).decode()
    (one,), (other,) = evidence_of([run]), evidence_of_results(text, codecs)
    assert one.dataset == other.dataset == "cifar10"
    assert {s: dict(a) for s, a in one.accuracies.items()} == {
        s: dict(a) for s, a in other.accuracies.items()
    }
    assert set(one.accuracies) == set(SYSTEMS.values())


def test_a_system_with_two_codecs_speaks_for_neither(tmp_path):
    run = read_run(evaluation(tmp_path, {**SYSTEMS, "other": "rkd-sc"}))
    assert set(evidence_of([run])[0].accuracies) == {"jscc-student", "jscc-teacher"}


def test_of_results_too_a_system_with_two_codecs_speaks_for_neither(tmp_path):
    run = read_run(evaluation(tmp_path, {**SYSTEMS, "other": "rkd-sc"}))
    (found,) = evidence_of_results(format_results_csv(run.summary).decode(), [])
    assert set(found.accuracies) == {"jscc-student", "jscc-teacher"}


def test_over_a_system_that_is_always_wrong_there_is_no_gain():
    assert verdicts(accuracies=accuracies((0.5, 0.2), (0.0, 0.0), (0.9, 0.0))) == {
        "accuracy kept against JSCC-teacher at 25 dB": ("55.56 %", "not")
    }


def test_rows_say_what_they_are_from():
    evidence = Evidence(
        dataset="cifar10",
        accuracies=accuracies((0.9, 0.6), (0.8, 0.5), (0.92, 0.3)),
        images=30_000,
        parameters=(1, 9),
        searched={"kdl-darts": [7, 8, 9], "darts": [9, 9, 9]},
    )
    table = claims_table([evidence])
    images = "30,000 images"
    assert [row[4] for row in table.rows] == [
        images, "the weights", images, images, images, "3 seeds",
    ]  # fmt: skip


def test_the_report_tells_the_claims(tmp_path):
    folder = evaluation(tmp_path / "all")
    search = write_search(tmp_path / "search")
    assert "Claims of the paper" in markdown_report([folder, search])
    page = write_report(tmp_path / "report", [folder]).read_text()
    assert "gain over JSCC-teacher at -10 dB" in page
