"""Reports of sentences: clusters by sentence, figures of interference, examples, side bits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.reports.clustered import clustered_interval, linear_error, mean_error
from orchestrator.reports.comparison import system_curves
from orchestrator.reports.interference_curves import drawn_metrics, interference_curves
from orchestrator.reports.interference_page import interference_section
from orchestrator.reports.markup import NOTHING
from orchestrator.reports.paired import difference_over, paired_tables
from orchestrator.reports.sentences import sentence_examples
from orchestrator.reports.sentences_page import NONE, sentences_section, sentences_tables
from orchestrator.reports.system_titles import system_title
from orchestrator.results.answers import read_answers
from orchestrator.results.item_sums import with_items
from orchestrator.results.run_folder import StoredRun, read_run
from semcom.interference import Interference
from semcom.kept_answers import FOLDER
from semcom.tasks.text import BLEU_1, CORPUS_BLEU_4
from tests.orchestrator.text_runs import SENTENCES, text_plan, text_run, text_set

MET = (
    None,
    *(Interference(interferers=n, sir_db=sir) for n in (1, 2) for sir in (0.0, 10.0)),
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run over interference that kept its answers, and the folder of its data set."""
    root = tmp_path_factory.mktemp("text")
    shard = text_set(root / "data")
    plan = text_plan(shard, snr_db=(0.0, 12.0), met=MET)
    return text_run(root / "run", shard, plan, keep=True), root / "data"


@pytest.fixture(scope="module")
def by_item(folders: tuple[Path, Path]) -> StoredRun:
    return with_items(read_run(folders[0]), folders[1])


def test_sentences_of_links_that_meet_are_clustered_by_sentence(
    folders: tuple[Path, Path], by_item: StoredRun
) -> None:
    same = [p for p in by_item.summary.points if p.codec == "kd-t" and p.snr_db == 12.0]
    links = [point for point in same if point.interference == MET[1]]
    clusters = [point.clusters for point in links]
    assert len(clusters) == 3
    assert all(each.kind == "item" for each in clusters)
    assert all(len(each.items) == SENTENCES and each.is_like(clusters[0]) for each in clusters)
    # Made-up answers to a sentence are the same on all links: their clusters must be, too.
    for each in clusters[1:]:
        assert np.array_equal(each.sums["bleu_1"], clusters[0].sums["bleu_1"])
    firsts = {point.clusters.first for point in read_run(folders[0]).summary.points}
    assert len(firsts) == 3, "frames of links of a group hold other sentences"


def test_interval_over_links_is_as_wide_as_that_of_one_where_all_agree(by_item: StoredRun) -> None:
    curve = next(c for c in system_curves([by_item], BLEU_1) if c.channel == "rayleigh")
    low, high = curve.points[0].interval(BLEU_1)
    alone = mean_error(BLEU_1.of, [curve.points[0].points[0].clusters])
    assert (high - low) / (2 * 1.96 * alone * BLEU_1.step) == pytest.approx(1.0, abs=0.02)


def test_error_of_a_metric_that_is_no_mean_is_that_of_a_mean_where_it_is_one(
    by_item: StoredRun,
) -> None:
    clusters = [by_item.summary.points[0].clusters]
    expected = BLEU_1.step * mean_error(BLEU_1.of, clusters)
    assert linear_error(BLEU_1, clusters) == pytest.approx(expected, rel=1e-6)


def test_error_of_corpus_bleu_is_that_of_a_jackknife(by_item: StoredRun) -> None:
    clusters = by_item.summary.points[0].clusters
    whole = clusters.total
    left_out = [
        CORPUS_BLEU_4.value({name: whole[name] - int(s[at]) for name, s in clusters.sums.items()})
        for at in range(SENTENCES)
    ]
    jackknife = np.sqrt((SENTENCES - 1) * np.var(left_out))
    assert linear_error(CORPUS_BLEU_4, [clusters]) == pytest.approx(jackknife, rel=0.05)
    few = clustered_interval(CORPUS_BLEU_4, whole, 2, [])
    assert few[0] < CORPUS_BLEU_4.value(whole) < few[1]


def test_systems_are_paired_by_sentence_or_link_by_link_without_answers(
    folders: tuple[Path, Path], by_item: StoredRun
) -> None:
    rows = paired_tables([by_item], BLEU_1)[0].rows
    assert {row[0] for row in rows} == {"Teacher minus Student 2", "Teacher minus Baseline 2"}
    assert all(row[4] != NOTHING for row in rows)
    frames = paired_tables([read_run(folders[0])], BLEU_1)[0].rows
    assert [row[:3] for row in frames] == [row[:3] for row in rows]
    assert all(row[4] == NOTHING for row in frames)
    for told, coarse in zip(rows, frames, strict=True):
        assert told[3].split()[0] == coarse[3].split()[0], "the difference is the same"


def test_without_common_frames_there_is_no_difference(by_item: StoredRun) -> None:
    points = [point.clusters for point in by_item.summary.points]
    assert difference_over("bleu_1", points[:1], points[:2]) is None
    assert difference_over("bleu_1", [], []) is None


def test_curves_against_sir_and_interferers_have_a_panel_per_other_setting(
    by_item: StoredRun,
) -> None:
    assert [metric.name for metric in drawn_metrics([by_item])] == ["bleu_1", "corpus_bleu_4"]
    against_sir = interference_curves([by_item], BLEU_1, "sir")
    assert {curve.channel for curve in against_sir} == {
        f"rayleigh {many}, Es/N0 {snr} dB"
        for many in ("1 interferer", "2 interferers")
        for snr in ("0", "12")
    }
    assert all([p.snr_db for p in curve.points] == [0.0, 10.0] for curve in against_sir)
    assert {c.series for c in against_sir} == {"Teacher", "Student 2", "Baseline 2"}
    against_many = interference_curves([by_item], BLEU_1, "interferers")
    assert {tuple(p.snr_db for p in curve.points) for curve in against_many} == {(1.0, 2.0)}
    one = next(c for c in against_sir if "1 int" in c.channel and "12" in c.channel)
    other = next(c for c in against_many if c.channel == "rayleigh SIR 0 dB, Es/N0 12 dB")
    assert one.points[0].score == other.points[0].score


def test_examples_are_what_was_sent_and_received(
    folders: tuple[Path, Path], by_item: StoredRun
) -> None:
    found = sentence_examples([by_item], folders[1], snr_db=10.0)
    assert [each.title for each in found] == [
        "talk, Rayleigh, 12 dB",
        "talk, Rayleigh, 1 interferer of SIR 0 dB, 12 dB",
    ]
    shown = found[1].examples
    assert [each.why for each in shown] == [
        "systems differ most", "systems differ most", "worst", "median", "best",
    ]  # fmt: skip
    assert len({each.sent for each in shown}) == 5
    sent = shown[0].sent.split()
    for received in shown[0].received:
        kept = [w for w, wrong in zip(received.words, received.wrong, strict=True) if not wrong]
        assert set(kept) <= set(sent)
        assert len(received.words) == len(sent)
    means = [np.mean([each.bleu_1 for each in example.received]) for example in shown[2:]]
    assert means == sorted(means)
    point = next(
        at for at, each in enumerate(by_item.summary.plan.points)
        if each.spec.interference == MET[1] and each.spec.snr_db == 12.0
    )  # fmt: skip
    first = read_answers(folders[0], link="east", point=point)
    vocabulary = text_set(folders[1]).vocabulary
    texts = {vocabulary.text([word for word in row if word]) for row in first.tolist()}
    teacher = [" ".join(each.received[0].words) for each in shown]
    assert shown[0].received[0].series == "Teacher"
    assert set(teacher) <= texts


def test_examples_are_escaped_and_wrong_words_marked(
    folders: tuple[Path, Path], by_item: StoredRun
) -> None:
    page = "\n".join(sentences_section([by_item], folders[1], snr_db=0.0))
    assert "&amp;&lt;b&gt;" in page
    assert "&<b>" not in page
    assert "<mark>" in page
    tables = sentences_tables([by_item], folders[1], snr_db=0.0)
    assert [row[0] for row in tables[0].rows[:4]] == [
        "sent (systems differ most)", "Teacher", "Student 2", "Baseline 2",
    ]  # fmt: skip


def test_runs_that_kept_no_answers_say_what_examples_need(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    shard = text_set(folders[1])
    run = read_run(text_run(tmp_path / "run", shard, text_plan(shard, snr_db=(0.0,))))
    assert NONE in sentences_section([run], folders[1])[1]
    assert sentences_tables([run], folders[1]) == []


def test_kept_answer_that_was_altered_is_neither_judged_nor_shown(
    folders: tuple[Path, Path], tmp_path: Path
) -> None:
    shard = text_set(folders[1])
    folder = text_run(tmp_path / "run", shard, text_plan(shard, snr_db=(0.0,)), keep=True)
    for path in (folder / FOLDER).rglob("0-0.bin"):
        content = path.read_bytes()
        path.write_bytes(content[:-2] + bytes([content[-2] ^ 1, content[-1]]))
    run = with_items(read_run(folder), folders[1])
    kinds = {point.codec: point.clusters.kind for point in run.summary.points}
    assert kinds == {"kd-t": "frame", "kd-s2": "item", "kd-b2": "item"}
    series = [each.series for each in sentence_examples([run], folders[1])[0].examples[0].received]
    assert series == ["Student 2", "Baseline 2"]


def test_page_has_a_figure_against_sir_and_its_tables(tmp_path: Path) -> None:
    shard = text_set(tmp_path / "data")
    plan = text_plan(shard, snr_db=(9.0,), met=MET[1:3])
    run = read_run(text_run(tmp_path / "run", shard, plan))
    parts, pictures = interference_section([run])
    assert set(pictures) == {"sir-bleu_1", "sir-corpus_bleu_4"}
    assert all(light[1:4] == b"PNG" and light != dark for light, dark in pictures.values())
    page = "".join(parts)
    assert "BLEU-1 against the SIR of each interferer, by channel and Es/N0" in page
    assert "<h3>WER against SIR</h3>" in page


def test_systems_of_families_have_titles() -> None:
    assert system_title("student-4", {}) == "Student 4"
    assert system_title("deepsc", {"deepsc": "theirs"}) == "theirs"
    assert system_title("unheard-of", {}) == "unheard-of"
