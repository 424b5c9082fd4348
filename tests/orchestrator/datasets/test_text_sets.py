"""Sentences as data sets: cleaning, vocabulary, splits, shards; and the drawn ones."""

from __future__ import annotations

import gzip
import hashlib
import json

import numpy as np
import pytest

from orchestrator.cli.main import _run
from orchestrator.datasets.drawn_sentences import draw_sentences, prepare_sentences
from orchestrator.datasets.prepare import ensure
from orchestrator.datasets.sentence_cleaning import cleaned, sentences
from orchestrator.datasets.text_sets import TextSize, holds_text, prepare_text
from semcom.errors import ConfigurationError
from semcom.shards import Shard, Span, read_manifest
from semcom.tasks.classification import Classification
from semcom.tasks.text import Text
from semcom.text_shards import TextShard, open_shard
from semcom.vocabulary import FIRST_WORD, Vocabulary

LINES = draw_sentences(60, seed=3)
DRAWN_SHA256 = "b5f7407a0c85534737b8566b88e06c292a96bc478822d83539f36b9ea5194de6"


def corpus(folder, lines=LINES, name="all.txt"):
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("The café isn't OPEN, is it?", "the cafe isn t open is it ?"),
        ("  Wait... 3 more!  ", "wait . . . more !"),
        ("Ελλάδα", ""),
        ("naïve Ångström", "naive angstrom"),
    ],
)
def test_lines_are_cleaned_as_deepscs(line, text):
    assert cleaned(line) == text


def test_sentences_have_5_to_29_words():
    lines = [" ".join(["word"] * count) for count in (4, 5, 29, 30)]
    assert [text.count("word") for text in sentences(lines)] == [5, 29]


def test_transcripts_are_cut_into_sentences_and_lose_their_tags():
    lines = [
        '<CHAPTER ID="006-06">\n',
        "(DE) Mr President, I thank you for it. 'We agree on this,' said Mr. Brown.\n",
        "<P>\n",
    ]
    assert list(sentences(lines)) == [
        "mr president i thank you for it .",
        "we agree on this said mr .",
    ]
    assert next(sentences(lines[1:2])).startswith("de mr president")  # a plain line is one


def test_every_source_of_the_same_sentences_gives_the_same_shards(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    corpus(folder, LINES[40:], "a.txt")
    (folder / "b.txt.gz").write_bytes(gzip.compress("\n".join(LINES[:45]).encode()))
    whole = corpus(tmp_path)
    made = [
        prepare_text("mine", root=tmp_path / str(at), source=source, size=TextSize())
        for at, source in enumerate((whole, folder))
    ]
    assert made[0].splits == made[1].splits
    assert {split: each.images for split, each in made[0].splits.items()} == {
        "train": 48, "validation": 6, "test": 6,
    }  # fmt: skip


def test_splits_follow_the_sha256_of_the_sentence(tmp_path):
    prepare_text("mine", root=tmp_path / "m", source=corpus(tmp_path), size=TextSize(train=20))
    keys = []
    for split in ("test", "validation", "train"):
        shard = TextShard(tmp_path / "m", split)
        rows = zip(shard.tokens_NL, shard.lengths_N, strict=True)
        texts = [shard.vocabulary.text(row[:n].tolist()) for row, n in rows]
        assert set(texts) <= set(LINES)
        assert shard.computed_digest() == shard.digest
        keys += [hashlib.sha256(text.encode()).digest() for text in texts]
    assert keys == sorted(keys)
    assert len(keys) == 6 + 6 + 20


def test_words_come_by_falling_count_and_rare_ones_go_with_their_sentences(tmp_path):
    common = [f"b a a {one} {two}" for one in "cd" for two in "efghij"]
    source = corpus(tmp_path, [*common, "a b c d zebra"])
    prepare_text("mine", root=tmp_path / "m", source=source, size=TextSize(words=10))
    vocabulary = TextShard(tmp_path / "m", "train").vocabulary
    assert vocabulary.words == ("a", "b", "c", "d", "e", "f", "g", "h", "i", "j")
    assert vocabulary.ids(["a", "zebra"]) == [FIRST_WORD, 3]
    assert "13 distinct sentences" in read_manifest(tmp_path / "m").source


def test_transcripts_are_taken_and_minutes_are_not(tmp_path):
    folder = tmp_path / "europarl"
    folder.mkdir()
    corpus(folder, LINES, "ep-2008-01-17.txt")
    corpus(folder, ["these words stand in the minutes alone ."], "min-2008-01-17.txt")
    assert holds_text(folder)
    prepare_text("europarl", root=tmp_path / "m", source=folder, size=TextSize())
    assert "minutes" not in TextShard(tmp_path / "m", "train").vocabulary.words


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"five words are just enough\n" * 30, "holds 1 usable sentences"),
        (b"", "holds 0 usable sentences"),
        (b"caf\xe9\n", "is not UTF-8"),
        (b"x" * (1 << 20), "line 1 has 1,048,576 bytes or more"),
    ],
)
def test_text_of_which_no_data_set_can_be_made_is_one_line(tmp_path, content, complaint):
    source = tmp_path / "all.txt"
    source.write_bytes(content)
    with pytest.raises(ConfigurationError, match=complaint) as raised:
        prepare_text("mine", root=tmp_path / "m", source=source, size=TextSize())
    assert "\n" not in str(raised.value)
    assert not (tmp_path / "m" / "dataset.json").exists()


def test_damaged_gzip_is_one_line(tmp_path):
    source = tmp_path / "all.txt.gz"
    source.write_bytes(gzip.compress("\n".join(LINES).encode())[:-20])
    with pytest.raises(ConfigurationError, match="is damaged"):
        prepare_text("mine", root=tmp_path / "m", source=source, size=TextSize())


def test_drawn_sentences_are_the_same_on_every_machine(tmp_path):
    manifest = prepare_sentences(tmp_path / "sentences", train=90, test=10)
    assert manifest.splits["test"].sha256 == DRAWN_SHA256
    assert ensure("sentences", tmp_path / "sentences") == manifest
    assert len(draw_sentences(50, 0)) == len(set(draw_sentences(50, 0))) == 50
    assert draw_sentences(50, 0) != draw_sentences(50, 1)


@pytest.mark.parametrize("damage", ["tokens", "vocabulary", "padding", "length"])
def test_damaged_set_of_sentences_is_refused_with_the_command_that_makes_it(tmp_path, damage):
    root = tmp_path / "sentences"
    prepare_sentences(root, train=90, test=10)
    tokens = np.load(root / "test" / "tokens.npy")
    if damage == "vocabulary":
        words = Vocabulary.parse((root / "vocabulary.txt").read_bytes()).words
        (root / "vocabulary.txt").write_bytes(Vocabulary((*words[1:], words[0])).format())
    else:
        tokens[0, 0] = {"tokens": 60_000, "padding": 0, "length": 4}[damage]
        np.save(root / "test" / "tokens.npy", tokens[1:] if damage == "length" else tokens)
    with pytest.raises(ConfigurationError, match=r"damaged.*semcom data prepare sentences"):
        open_shard(root, "test")
    if damage != "vocabulary":
        open_shard(root, "train")


def test_images_are_not_sentences_nor_the_other_way_round(tmp_path):
    root = tmp_path / "sentences"
    prepare_sentences(root, train=90, test=10)
    with pytest.raises(ConfigurationError, match="holds sentences, but images are needed"):
        Shard(root, "test")
    shard = TextShard(root, "test")
    with pytest.raises(ConfigurationError, match="classification does not judge"):
        shard.references(Classification(classes=2), Span(0, 1, of=2))
    task = Text(vocabulary=9, vocabulary_sha256="0" * 64, longest=29)
    assert len(shard.references(task, Span(2, 3, of=5))) == 3
    around = shard.references(task, Span(3, 4, of=5))
    assert np.array_equal(around.tokens_NL, shard.tokens_NL[[3, 4, 0, 1]])


def test_prepare_command_tells_text_from_images(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    corpus(tmp_path)
    assert _run(["data", "prepare", "mine", "--from", "all.txt", "--sentences", "20"]) == 0
    assert "20 train, 6 validation, 6 test sentences" in " ".join(capsys.readouterr().out.split())
    assert json.loads((tmp_path / "data/mine/dataset.json").read_text())["format"] == 3
    for words in (["--size", "32"], ["--words", "0"], ["--words", "-1"]):
        assert _run(["data", "prepare", "mine", "--from", "all.txt", *words]) == 2
    assert _run(["data", "prepare", "mine", "--keep"]) == 0
    assert _run(["data", "prepare", "other", "--from", "none.txt"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("names", "is_text"),
    [
        (("a.txt",), True),
        (("part/a.en", "part/b.txt.gz", ".hidden.png"), True),
        (("cat/1.png", "cat/notes.txt"), False),
        (("cat/1.JPG", "README.txt"), False),
        (("data/train.parquet", "README.txt"), False),
        (("cat/1.png",), False),
    ],
)
def test_text_beside_images_or_tables_is_a_note(tmp_path, names, is_text):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a sentence of some words\n")
    assert holds_text(tmp_path) is is_text
