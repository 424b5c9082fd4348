"""Single items of a run are those of the run: answers, symbols, features, ledger."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import rkd_sc
from channel_sim.channels import Codewords
from channel_sim.passing import pass_frame
from orchestrator.inspection.choice import Wanted
from orchestrator.inspection.ranking import Which
from orchestrator.inspection.run_items import Look, inspect_run
from orchestrator.plan.folders import Folders
from orchestrator.results.run_folder import open_ledger
from semcom.checkpoints import open_checkpoint
from semcom.errors import ConfigurationError
from semcom.shards import Shard
from tests.orchestrator.inspection.place import (
    FRAME,
    ITEMS,
    computed_here,
    evaluated,
    make_place,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folders]:
    with computed_here():
        yield make_place(tmp_path_factory.mktemp("inspected"))


@pytest.fixture(scope="module")
def classes(folders: Folders) -> Path:
    return evaluated(folders, "classes")


@pytest.fixture(scope="module")
def pictures(folders: Folders) -> Path:
    return evaluated(folders, "pictures")


@pytest.fixture(scope="module")
def sentences(folders: Folders) -> Path:
    return evaluated(folders, "sentences")


def agrees(look: Look) -> bool:
    return look.compared > 0 and not look.differing and not look.missing


class TestClasses:
    def test_every_item_has_the_answer_that_the_ledger_has(self, classes, folders):
        wanted = Wanted(codec="direct", channel="rayleigh mmse")
        every = Which(items=range(ITEMS))
        look = inspect_run(classes, wanted, folders=folders, which=every)
        assert agrees(look)
        assert look.compared == 3 * ITEMS // FRAME
        with open_ledger(classes) as ledger:
            rows = {(row.point, row.frame): row for row in ledger.rows() if row.link == "tiny"}
        for item in look.items:
            for answer in item.answers:
                kept = np.frombuffer(rows[answer.point, item.number // FRAME].answer, "<u2")
                assert answer.answer == kept[item.number % FRAME]
                assert answer.answer == answer.outputs.argmax()
                assert answer.right == (answer.answer == item.label)
                assert answer.values == {"accuracy": float(answer.right)}
                assert 0.25 <= answer.confidence <= 1

    def test_symbols_are_those_of_codec_and_channel_bit_for_bit(self, classes, folders):
        look = inspect_run(
            classes, Wanted(channel="rayleigh"), folders=folders, which=Which(items=[17])
        )
        with open_ledger(classes) as ledger:
            plan = ledger.plan
        checkpoint = open_checkpoint(folders.codecs / "cat")
        codec = checkpoint.load_transmitter(engine="onnxruntime")
        shard = Shard(folders.data / "tiny", "test")
        (item,) = look.items
        assert np.array_equal(item.content, shard.images_NHWC[17])
        sent = codec.encode(np.array(shard.images_NHWC[10:20]), snr_db=0.0)
        for answer in item.answers:
            spec = plan.points[answer.point].spec
            passed = pass_frame(Codewords(spec, "tiny", 10, 10), sent)
            assert np.array_equal(answer.sent, sent[7])
            assert np.array_equal(answer.received, passed.received_BK[7])
            assert np.array_equal(answer.csi, passed.csi_BM[7])
            assert answer.equalized.shape == answer.sent.shape

    def test_features_are_nearer_the_higher_the_snr_is(self, classes, folders):
        which = Which(items=range(ITEMS))
        look = inspect_run(classes, Wanted(codec="direct"), folders=folders, which=which)
        for name in ("feature_distance", "symbol_distance"):
            distances = [[getattr(a, name) for a in item.answers] for item in look.items]
            low, middle, high = np.mean(distances, axis=0)
            assert low > middle > high > 0

    def test_worst_items_come_first(self, classes, folders):
        look = inspect_run(classes, folders=folders, which=Which(count=ITEMS))
        assert look.among == look.sent == ITEMS
        right = [sum(answer.right for answer in item.answers) for item in look.items]
        assert right == sorted(right)
        assert len(set(right)) > 1
        changing = inspect_run(classes, folders=folders, which=Which(count=ITEMS, by="change"))
        flips = [
            sum(a.right != b.right for a, b in zip(item.answers, item.answers[1:], strict=False))
            for item in changing.items
        ]
        assert flips == sorted(flips, reverse=True)
        ordered = inspect_run(classes, folders=folders, which=Which(count=3, by="number"))
        assert [item.number for item in ordered.items] == [0, 1, 2]

    def test_what_the_run_does_not_have_is_one_line(self, classes, folders):
        for wanted, text in (
            (Wanted(link="huge"), "no link huge in this run; available: tiny"),
            (Wanted(codec="dog"), "no codec dog in this run; available: cat, direct"),
            (Wanted(channel="fog"), "no channel fog in this run; available: awgn, rayleigh mmse"),
            (Wanted(seed=9), "no seed 9 in this run; available: 0"),
            (Wanted(snrs_db=[1.0]), "no SNR 1.0 in this run; available: -5, 5, 15"),
        ):
            with pytest.raises(ConfigurationError) as caught:
                inspect_run(classes, wanted, folders=folders)
            assert str(caught.value) == text
        with pytest.raises(ConfigurationError, match="it sent items 0 to 29"):
            inspect_run(classes, folders=folders, which=Which(items=[ITEMS]))

    def test_python_gives_an_item_with_its_arrays(self, classes, folders):
        run = rkd_sc.load_run(classes)
        item = run.item(
            4, data=folders.data, codecs=folders.codecs, channel="awgn", snrs_db=[15, -5]
        )
        assert [answer.snr_db for answer in item.answers] == [-5.0, 15.0]
        assert item.answers[0].csi is None
        look = run.inspect(Which(count=2), data=folders.data, codecs=folders.codecs)
        assert len(look.items) == 2
        assert rkd_sc.item_page(look).startswith("<!doctype html>")


class TestPictures:
    def test_superposed_link_has_its_own_codewords_and_the_sum_of_both(self, pictures, folders):
        which = Which(items=[0, 29, 11])
        looks = [
            inspect_run(pictures, Wanted(link=link), folders=folders, which=which)
            for link in ("left", "right")
        ]
        assert all(map(agrees, looks))
        left, right = (look.items for look in looks)
        shard = Shard(folders.data / "small", "test")
        for a, b in zip(left, right, strict=True):
            assert (a.number, b.number) == (b.number, a.number)
            assert (a.index, b.index) == (a.number, (a.number + ITEMS // 2) % ITEMS)
            assert np.array_equal(b.content, shard.images_NHWC[b.index])
            for one, other in zip(a.answers, b.answers, strict=True):
                assert np.array_equal(one.received, other.received)
                assert not np.array_equal(one.sent, other.sent)
                assert one.csi.shape == (2,)
                assert one.equalized is one.feature_distance is one.right is None
                assert one.answer.shape == (12, 12, 3)
                assert set(one.values) == {"psnr", "ssim", "mse"}

    def test_worst_pictures_are_found_by_computing_them(self, pictures, folders):
        look = inspect_run(pictures, folders=folders, which=Which(count=5, among=20))
        assert agrees(look)
        assert (look.among, look.sent) == (20, ITEMS)
        means = [np.mean([a.values["psnr"] for a in item.answers]) for item in look.items]
        assert means == sorted(means)
        every = inspect_run(pictures, folders=folders, which=Which(items=range(20)))
        least = min(np.mean([a.values["psnr"] for a in item.answers]) for item in every.items)
        assert means[0] == least


class TestSentences:
    def test_sentences_have_their_words_and_only_the_symbols_they_use(self, sentences, folders):
        look = inspect_run(sentences, folders=folders, which=Which(count=ITEMS))
        assert agrees(look)
        assert len({len(item.answers[0].sent) for item in look.items}) > 1
        for item in look.items:
            words = len(item.text.split())
            assert item.label is None
            for answer in item.answers:
                assert len(answer.sent) == len(answer.received) == 8 * (words + 1)
                assert answer.feature_sent.any()
                assert answer.text == "" or answer.text.islower()
                assert answer.right == (answer.text == item.text)

    def test_worst_sentences_come_first(self, sentences, folders):
        look = inspect_run(sentences, Wanted(link="other"), folders=folders)
        means = [np.mean([a.values["bleu_1"] for a in item.answers]) for item in look.items]
        assert means == sorted(means)


def test_ledger_that_says_otherwise_is_told(folders, monkeypatch):
    folder = evaluated(folders, "classes", name="other", seeds=[5])
    path = folder / "ledger.sqlite"
    with sqlite3.connect(path) as database:
        database.execute("DELETE FROM seals")
        (kept,) = database.execute(
            "SELECT predictions FROM frames WHERE point = 0 AND frame = 1"
        ).fetchone()
        other = np.frombuffer(kept, "<u2").copy()
        other[3] = (other[3] + 1) % 4
        database.execute(
            "UPDATE frames SET predictions = ? WHERE point = 0 AND frame = 1", [other.tobytes()]
        )
        database.execute("DELETE FROM frames WHERE point = 1 AND frame = 1")
    database.close()
    look = inspect_run(folder, folders=folders, which=Which(items=[13]))
    assert (look.compared, look.missing) == (2, 1)
    assert look.agreement() == (
        "1 of 2 frames differ from the ledger; first: frame 1 of point 0 on link tiny: the "
        "recomputed answer differs from the ledger"
    )
    run = rkd_sc.load_run(folder)
    with pytest.raises(rkd_sc.SemcomError, match="1 of 2 frames differ"):
        run.item(13, data=folders.data, codecs=folders.codecs)


def test_other_data_than_the_run_had_is_refused(classes, folders, tmp_path):
    other = Folders(data=tmp_path, codecs=folders.codecs, runs=folders.runs)
    with pytest.raises(ConfigurationError, match="no data set at"):
        inspect_run(classes, folders=other)
