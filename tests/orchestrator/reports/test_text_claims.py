"""Claims on sentences and ablations: what is compared, and what an interval lets be said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.plan.codec_facts import CodecFacts, codec_facts
from orchestrator.reports.ablation import ablation_tables, left_out, without_ablations
from orchestrator.reports.markup import NOTHING
from orchestrator.reports.text_claims import CLAIMS, text_claims_table, text_evidence_tables
from orchestrator.reports.text_evidence import (
    Condition,
    TextCodec,
    text_codecs,
    text_codecs_of_results,
)
from orchestrator.results.item_sums import with_items
from orchestrator.results.run_folder import StoredRun, read_run
from orchestrator.results.summary import format_results_csv
from semcom.checkpoints import open_checkpoint
from semcom.interference import Interference
from semcom.tasks.text import BLEU_1
from tests.orchestrator.ledgers import fake_codec, write_manifest
from tests.orchestrator.text_runs import text_plan, text_run, text_set
from tests.semcom.families.text_codecs import architecture, written

SYSTEMS = {
    "t": ("teacher", 0.0), "s2": ("student-2", 3.0), "b2": ("baseline-2", -4.0),
    "s2-no-ce": ("student-2", -8.0), "s2-no-s": ("student-2", 3.0),
}  # fmt: skip
TERMS = {"x": 0.1, "t_hat": 0.1, "s_hat": 0.2, "cross_entropy": 1.0}
MET = (None, *(Interference(interferers=n, sir_db=s) for n, s in ((1, 0.0), (1, 10.0))))


def facts(name: str, **changes: Any) -> dict[str, Any]:
    off = changes.pop("off", ())
    terms = {key: weight for key, weight in TERMS.items() if key not in off}
    told = {"loss_terms": terms, "trained_beside": "same"} if name.startswith("s2") else {}
    return {
        "name": name, "digest": fake_codec(name).digest, "dataset": "europarl",
        "system": SYSTEMS[name][0], "symbols": 240, "parameters": {}, **told, **changes,
    }  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> StoredRun:
    root = tmp_path_factory.mktemp("claims")
    shard = text_set(root / "data", "europarl")
    plan = text_plan(shard, systems=SYSTEMS, snr_db=(0.0, 6.0, 18.0), met=MET)
    folder = text_run(root / "run", shard, plan, systems=SYSTEMS, keep=True)
    off = {"s2-no-ce": {"off": ["cross_entropy"]}, "s2-no-s": {"off": ["s_hat"]}}
    write_manifest(folder, plan, codecs=[facts(name, **off.get(name, {})) for name in SYSTEMS])
    return with_items(read_run(folder), root / "data")


def claims(codecs: list[TextCodec]) -> dict[str, list[str]]:
    return {row[0]: row[1:] for row in text_claims_table(codecs).rows}


def test_without_codecs_nothing_is_measured() -> None:
    rows = text_claims_table([]).rows
    assert len(rows) == len(CLAIMS) == 15
    assert {tuple(row[2:]) for row in rows} == {(NOTHING, "not measured")}


def test_claims_take_values_and_paired_differences(run: StoredRun) -> None:
    codecs = text_codecs([run])
    found = claims(codecs)
    teacher = next(each for each in codecs if each.system == "teacher")
    value = BLEU_1.value(teacher.sides[Condition(0, None, 18.0)].point.score)
    assert found["teacher, no interference, SNR 18 dB"][1].startswith(f"{100 * value:.2f} (")
    assert found["teacher, no interference, SNR 18 dB"][2] == "reproduced"
    below_9 = "students minus their baselines, no interference, SNR below 9 dB"
    assert found[below_9][2] == "reproduced"
    over = "students minus their baselines, 1 interferer of SIR 0 dB, SNR 0 to 18 dB"
    assert found[over][2] in {"refuted", "not distinguishable"}, "10 points at every SNR"
    assert found["teacher, 9 interferers of SIR 20 dB, SNR 15 dB"][2] == "not measured"
    one = "Student 1 minus Baseline 1, 3 to 9 interferers of SIR 20 dB, SNR 15 dB"
    assert found[one][2] == "not measured"


def test_a_system_with_two_codecs_speaks_for_neither_unless_one_is_an_ablation(
    run: StoredRun,
) -> None:
    codecs = text_codecs([run])
    assert [each.name for each in without_ablations(codecs)] == ["t", "s2", "b2"]
    student = "students, 1 interferer of SIR 0 dB, SNR 0 dB"
    assert claims(codecs)[student][1] != NOTHING
    other = next(each for each in codecs if each.name == "s2")
    twice = TextCodec("europarl", "student-2", "again", other.sides)
    assert claims([*codecs, twice])[student][1] == NOTHING


def test_pairs_are_narrower_than_results_alone(run: StoredRun) -> None:
    alone = text_codecs_of_results(format_results_csv(run.summary).decode(), [])
    assert [each.name for each in alone] == list(SYSTEMS)
    for place in (Condition(0, None, 6.0), Condition(1, 10.0, 6.0)):
        sides = [
            {each.name: each.sides[place] for each in found}
            for found in (text_codecs([run]), alone)
        ]
        paired, unpaired = (side["s2"].less(side["b2"]) for side in sides)
        assert paired[0] == pytest.approx(unpaired[0])
        assert 0 < paired[1] < unpaired[1]
        changes = [side["b2"].change_from(side["s2"]) for side in sides]
        assert changes[0][0] == pytest.approx(changes[1][0])
        assert 0 < changes[0][1] < changes[1][1]


def test_ablation_is_the_change_without_terms_beside_the_papers(run: StoredRun) -> None:
    (table,) = ablation_tables(text_codecs([run]))
    rows = {(row[1], row[2], row[3]): row for row in table.rows}
    assert {key[0] for key in rows} == {"CE", "s^"}
    printed = rows["CE", "1 interferer of SIR 10 dB", "6"]
    assert printed[0] == "s2"
    assert printed[6:] == ["-11.71 %", "reproduced"]
    low, high = printed[5].split("(")[1].rstrip(")").split(" to ")
    assert float(low) < float(printed[5].split(" %")[0]) < float(high) < 0
    # Made-up answers without s^ are the same: no difference, and no interval around it.
    assert rows["s^", "none", "6"][5] == "+0.00 % (+0.00 to +0.00)"
    assert rows["CE", "none", "18"][6:] == [NOTHING, NOTHING]


def test_ablation_needs_the_same_training_and_weights() -> None:
    full = CodecFacts.model_validate(facts("s2"))
    off = CodecFacts.model_validate(facts("s2-no-s", off=["s_hat"]))
    assert left_out(full, off) == {"s_hat"}
    assert left_out(off, full) == left_out(full, full) == left_out(full, None) == frozenset()
    other_seed = off.model_copy(update={"trained_beside": "other"})
    heavier = off.model_copy(update={"loss_terms": {**(off.loss_terms or {}), "x": 0.2}})
    assert left_out(full, other_seed) == left_out(full, heavier) == frozenset()


def test_report_has_claims_for_europarl_alone(run: StoredRun, tmp_path: Path) -> None:
    titles = [table.title for table in text_evidence_tables([run])]
    assert titles == ["europarl: ablation of loss terms", "Claims of the paper on sentences"]
    shard = text_set(tmp_path)
    plan = text_plan(shard, snr_db=(0.0,))
    assert text_evidence_tables([read_run(text_run(tmp_path / "run", shard, plan))]) == []


def test_manifest_of_a_student_tells_its_loss_terms(tmp_path: Path) -> None:
    def of(name: str, **training: Any) -> CodecFacts:
        folder = written(tmp_path / name, architecture()).folder
        manifest = json.loads((folder / "manifest.json").read_text())
        (folder / "manifest.json").write_text(json.dumps({**manifest, "training": training}))
        return codec_facts(open_checkpoint(folder))

    terms = {"p": 0.0, "x": 0.1, "cross_entropy": True, "temperature": 2.0, "direction": "teacher"}
    stages = {"student": {"epochs": 20, "artefact": "a"}}
    full = of("full", seed=1, distillation=terms, stages=stages)
    assert full.loss_terms == {"x": 0.1, "cross_entropy": 1.0}
    assert full.side_bits == 7, "0 to 80 symbols"
    off = of("off", seed=1, distillation={**terms, "cross_entropy": False}, stages=stages)
    assert left_out(full, off) == {"cross_entropy"}
    hotter = of("hot", seed=1, distillation={**terms, "temperature": 4.0}, stages=stages)
    assert hotter.trained_beside != full.trained_beside
    baseline = of("base", seed=1, distillation=terms, stages={"baseline": {"epochs": 20}})
    assert baseline.loss_terms is None
