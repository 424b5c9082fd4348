"""Energy, bounds, pairs and spreads of a comparison, as tables and on the page."""

from __future__ import annotations

from math import log10

import numpy as np
import pytest

from orchestrator.reports.comparison import system_curves
from orchestrator.reports.comparison_plots import systems_figure
from orchestrator.reports.energy import energy_curves, energy_tables, equal_symbols_tables
from orchestrator.reports.label_bounds import bound_tables, label_bounds
from orchestrator.reports.markup import NOTHING
from orchestrator.reports.paired import paired_tables
from orchestrator.reports.ratios import ratio_curves, ratio_tables
from orchestrator.reports.report import markdown_report, write_report
from orchestrator.reports.spreads import spread_tables
from orchestrator.results.item_sums import with_items
from orchestrator.results.run_folder import read_run
from semcom.points import ChannelSettings
from semcom.shards import Shard, Span, write_dataset
from semcom.tasks.classification import ACCURACY, Classification
from semcom.tasks.label_bound import label_bound
from tests.orchestrator.ledgers import (
    fake_codec,
    fake_link,
    fake_plan,
    fill_ledger,
    sha256,
    write_manifest,
)  # fmt: skip
from tests.orchestrator.records import fake_facts

IMAGES = 240
SYSTEMS = {"cat": "rkd-sc", "js": "jscc-student"}
RICIAN = ChannelSettings(model="rician")


def evaluated(folder, systems=SYSTEMS, *, changes=None, facts=None, link=None, **plan):
    """An evaluation in frames of ten images; `facts` are changes of those of a codec."""
    codecs = [fake_codec(name, system) for name, system in systems.items()]
    made = fake_plan(
        {"a": link or fake_link("shapes10", *codecs, images=IMAGES)},
        snr_db=plan.pop("snr_db", (-10.0, 25.0)), frame_images=10, **plan,
    )  # fmt: skip
    told = [
        {
            **fake_facts(name, "shapes10", system=system, ratio=0.0 if "js" in name else 0.8),
            **(facts or {}).get(name, {}),
        }
        for name, system in systems.items()
    ]
    filled = fill_ledger(folder, made, changes=changes and changes(made))
    write_manifest(filled, made, kind="evaluation", codecs=told)
    return read_run(folder)


def test_energy_is_es_n0_and_ten_log_symbols(tmp_path):
    run = evaluated(tmp_path)
    curves = system_curves([run], ACCURACY)
    by_energy = energy_curves(curves, [run])
    symbols = {"RKD-SC": 51, "JSCC-student": 256}
    for curve in by_energy:
        expected = [snr_db + 10 * log10(symbols[curve.series]) for snr_db in (-10.0, 25.0)]
        assert [point.snr_db for point in curve.points] == pytest.approx(expected)
    table = energy_tables(by_energy)[0]
    assert table.rows[0] == [
        "7.1",
        *table.rows[0][1:2],
        NOTHING,
    ]  # before the other one's first point
    low, high = (curves[2].points[at].score for at in (0, 1))
    share = (by_energy[0].points[1].snr_db - by_energy[2].points[0].snr_db) / 35
    between = ACCURACY.value(low) + share * (ACCURACY.value(high) - ACCURACY.value(low))
    assert float(table.rows[1][2]) == pytest.approx(100 * between, abs=0.01)
    assert len(systems_figure(by_energy, x_label="energy").axes) == 2


def test_codecs_of_as_many_symbols_have_no_energy_of_their_own(tmp_path):
    run = evaluated(tmp_path, {"cat": "rkd-sc", "dog": "other"})
    curves = system_curves([run], ACCURACY)
    assert energy_curves(curves, [run]) == []
    tables = equal_symbols_tables(curves, [run])
    assert [table.head[1:] for table in tables] == [
        ["RKD-SC (51 symbols)", "other (51 symbols)"]
    ] * 2
    assert equal_symbols_tables(system_curves([evaluated(tmp_path / "b")], ACCURACY), []) == []


def test_bound_is_that_of_the_formula_beside_the_curve(tmp_path):
    channels = (ChannelSettings(), ChannelSettings(model="rayleigh"), RICIAN)
    run = evaluated(tmp_path, {"cat": "rkd-sc"}, facts={"cat": {"classes": 10}}, channels=channels)
    curves = system_curves([run], ACCURACY)
    bounds = label_bounds(curves, [run])
    assert [bound.channel for bound in bounds] == ["awgn", "rayleigh"]
    clean = ACCURACY.value(curves[0].points[-1].score)
    assert {bound.accuracy for bound in bounds} == {clean}  # of the same images, at 25 dB
    expected = label_bound(clean, -10.0, classes=10, symbols=51, channel="rayleigh")
    assert bounds[1].at(-10.0) == expected
    table = bound_tables(bounds)[0]
    assert table.head == [
        "Es/N0 (dB)", "RKD-SC, AWGN", "label bound", "difference",
        "RKD-SC, Rayleigh", "label bound", "difference",
    ]  # fmt: skip
    assert table.rows[0][5] == f"{100 * expected:.2f}"
    figure = systems_figure(curves, bounds=bounds)
    dotted = [line for axes in figure.axes for line in axes.lines if line.get_linestyle() == ":"]
    assert len(dotted) == 2


def test_bound_without_a_clean_point_is_of_what_the_manifest_states(tmp_path):
    stated = {"cat": {"classes": 10, "noise_free": 0.9}}
    run = evaluated(tmp_path, {"cat": "rkd-sc"}, facts=stated, snr_db=(-10.0, 5.0))
    bounds = label_bounds(system_curves([run], ACCURACY), [run])
    assert [bound.accuracy for bound in bounds] == [0.9, 0.9]
    silent = evaluated(tmp_path / "b", {"cat": "rkd-sc"}, snr_db=(-10.0, 5.0))
    assert label_bounds(system_curves([silent], ACCURACY), [silent]) == []
    label = evaluated(tmp_path / "c", {"cat": "label"}, facts=stated)
    assert label_bounds(system_curves([label], ACCURACY), [label]) == []


def test_pairs_without_labels_are_of_frames_and_say_so(tmp_path):
    run = evaluated(tmp_path, seeds=(0, 1))
    (table,) = paired_tables([run], ACCURACY)
    assert [row[:3] for row in table.rows[:2]] == [
        ["RKD-SC minus JSCC-student", "AWGN", "-10"], ["RKD-SC minus JSCC-student", "AWGN", "25"],
    ]  # fmt: skip
    assert {row[4] for row in table.rows} == {NOTHING}
    assert {row[7] for row in table.rows} == {"fading"}  # 51 and 256 symbols
    assert "has no labels" in table.note


def labelled(tmp_path):
    """A data set, and the run whose answers are right on a known share of its items."""
    dice = np.random.default_rng(0)
    images = dice.integers(0, 256, (IMAGES, 8, 8, 3), np.uint8)
    labels = dice.integers(0, 10, IMAGES).astype(np.uint16)
    root = tmp_path / "data" / "shapes10"
    write_dataset(
        root, name="shapes10", source="drawn", classes=[str(each) for each in range(10)],
        splits={"train": (images, labels), "test": (images, labels)},
    )  # fmt: skip
    shard = Shard(root, "test")
    known = shard.references(Classification(classes=10), Span(0, IMAGES, of=IMAGES))
    link = fake_link("shapes10", *(fake_codec(n, s) for n, s in SYSTEMS.items()), images=IMAGES)
    link = link.model_copy(update={"dataset_digest": shard.digest})

    def changes(plan):
        found = {}
        for point in range(len(plan.points)):
            wrong = dice.random(IMAGES) < 0.3
            answers = ((known + wrong) % 10).astype("<u2")
            for frame in range(plan.frames("a")):
                span = slice(10 * frame, 10 * frame + 10)
                found["a", point, frame] = {
                    "predictions": answers[span].tobytes(),
                    "correct": int((~wrong[span]).sum()),
                }
        return found

    return evaluated(tmp_path / "run", changes=changes, link=link, seeds=(0, 1))


def test_pairs_with_the_data_set_are_of_items_with_their_counts(tmp_path):
    run = labelled(tmp_path)
    by_item = with_items(run, tmp_path / "data")
    assert {point.clusters.kind for point in by_item.summary.points} == {"item"}
    assert [p.clusters.total for p in by_item.summary.points] == [
        p.score for p in run.summary.points
    ]
    (frames,), (items,) = paired_tables([run], ACCURACY), paired_tables([by_item], ACCURACY)
    for of_frames, of_items in zip(frames.rows, items.rows, strict=True):
        assert of_frames[3].split(" ")[0] == of_items[3].split(" ")[0]
        one, other = int(of_items[4]), int(of_items[5])
        assert 100 * (one - other) / (2 * IMAGES) == pytest.approx(
            float(of_items[3].split(" ")[0]), abs=0.006
        )
    assert "has no labels" not in items.note
    text = markdown_report([run.folder], data=tmp_path / "data")
    assert "paired by item" in text
    assert with_items(run, tmp_path / "nowhere") is run


def test_answers_that_disagree_with_the_labels_stay_frames(tmp_path):
    run = labelled(tmp_path)
    labels = tmp_path / "data" / "shapes10" / "test" / "labels.npy"
    found = np.load(labels)
    labels.unlink()
    np.save(labels, (found + 1) % 10)
    assert {p.clusters.kind for p in with_items(run, tmp_path / "data").summary.points} == {"frame"}


def test_spreads_are_told_apart(tmp_path):
    alike = {"trained_as": "same"}
    facts = {
        "one": {**alike, "training_seed": 0}, "two": {**alike, "training_seed": 1},
        "js": {"training_seed": 0, "trained_as": "other"},
    }  # fmt: skip
    systems = {"one": "rkd-sc", "two": "rkd-sc", "js": "jscc-student"}
    run = evaluated(tmp_path, systems, facts=facts, seeds=(0, 1, 2))
    curves = system_curves([run], ACCURACY)
    (table,) = spread_tables(curves, [run])
    row = dict(zip(table.head, table.rows[0], strict=True))
    point = curves[0].points[0]
    values = [100 * ACCURACY.value(each.score) for each in point.points]
    assert row["channel: standard deviation"] == f"{np.std(values, ddof=1):.2f} (3)"
    pair = [100 * ACCURACY.value(c.points[0].score) for c in curves if c.system == "rkd-sc"][::2]
    assert row["training: standard deviation"] == f"{np.std(pair, ddof=1):.2f} (2)"
    assert table.rows[-1][6] == NOTHING  # the student was trained once
    once = evaluated(tmp_path / "b", {"cat": "rkd-sc"})
    assert spread_tables(system_curves([once], ACCURACY), [once]) == []


def test_page_has_them_all(tmp_path):
    run = evaluated(
        tmp_path / "run", facts={"cat": {"classes": 10}, "js": {"classes": 10}}, seeds=(0, 1)
    )
    page = write_report(tmp_path / "out", [run.folder]).read_text()
    for text in (
        "<h2>Energy and symbols</h2>", "<h2>Evidence</h2>", "and label bound",
        "Paired by item", "Spreads", "Dotted: the label bound", "k/n", "each item is one draw",
    ):  # fmt: skip
        assert text in page, text
    assert (tmp_path / "out" / "energy.png").read_bytes().startswith(b"\x89PNG")
    assert sha256("cat")[:12] in page


def test_ratios_have_k_over_n_beside_them_where_it_is_told(tmp_path):
    systems = {"a": "rkd-sc", "b": "rkd-sc"}
    facts = {"a": {"source_values": 3072}, "b": {"compression_ratio": 0.2, "symbols": 205}}
    run = evaluated(tmp_path, systems, facts=facts)
    (table,) = ratio_tables(ratio_curves([run], ACCURACY, snr_db=-10.0), -10.0)
    assert table.head[:4] == ["compression ratio", "k/n", "system", "codec"]
    assert [row[:2] for row in table.rows] == [["0.2", NOTHING], ["0.8", "0.0166"]]
    silent = evaluated(tmp_path / "b", systems, facts={"b": facts["b"]})
    (table,) = ratio_tables(ratio_curves([silent], ACCURACY, snr_db=-10.0), -10.0)
    assert "k/n" not in table.head
