"""Text: what is counted of sentences, held against nltk and sacrebleu."""

from __future__ import annotations

import random
import warnings
from functools import reduce
from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sacrebleu import corpus_bleu

from semcom.errors import ProtocolError
from semcom.tasks.edit_distance import edit_distances
from semcom.tasks.form import RaggedForm
from semcom.tasks.score import MAX_SUM, merged
from semcom.tasks.text import BLEU_1, BLEU_STEP, CORPUS_BLEU_4, Sentences, Text
from semcom.vocabulary import END, FIRST_WORD, PAD, START, UNK, Vocabulary
from tests.properties import examples

VOCABULARY = Vocabulary(("the", "cat", "is", "on", "mat", "a", "dog", "."))
LONGEST = 10
TASK = Text(vocabulary=len(VOCABULARY), vocabulary_sha256=VOCABULARY.sha256, longest=LONGEST)
WER, CER, BER = TASK.METRICS[2:]
word_lists = st.lists(st.sampled_from(VOCABULARY.words), max_size=LONGEST)
sentences = st.lists(st.sampled_from(VOCABULARY.words), min_size=1, max_size=LONGEST)
pairs = st.lists(st.tuples(word_lists, sentences), min_size=1, max_size=6)


def rows(texts, longest=LONGEST):
    tokens = np.full((len(texts), longest), PAD, np.uint16)
    for row, words in zip(tokens, texts, strict=True):
        row[: len(words)] = VOCABULARY.ids(words)
    return tokens


def judged(*both):
    """The score of (answer, what was sent), each a text or a list of words."""
    split = [[t.split() if isinstance(t, str) else t for t in pair] for pair in both]
    answers, sent = zip(*split, strict=True)
    return TASK.judge(rows(answers), Sentences(rows(sent), VOCABULARY))


def nltk_bleu(candidate, reference, order):
    from nltk.translate.bleu_score import sentence_bleu  # noqa: PLC0415 - takes seconds

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that an order has no match
        return sentence_bleu([reference], candidate, weights=(1 / order,) * order)


def test_pinned_values():
    """A copy is 1, its first half e^-1, and repeating a word does not pay."""
    text = "the cat is on the mat a dog . ."
    copy, half = judged((text, text)), judged((text.split()[:5], text))
    assert (BLEU_1.value(copy), CORPUS_BLEU_4.value(copy)) == (1.0, 1.0)
    assert BLEU_1.value(half) == pytest.approx(exp(-1), abs=1e-6) == pytest.approx(0.3679, abs=1e-4)
    repeated = judged((["the"] * 7, "the cat is on the mat"))
    assert BLEU_1.value(repeated) == pytest.approx(0.2857, abs=1e-4)
    assert copy["exact"] == 1
    assert [metric.value(copy) for metric in (WER, CER, BER)] == [0, 0, 0]


@examples(60)
@given(candidate=sentences, reference=sentences)
def test_sentence_bleu_is_nltks(candidate, reference):
    score = judged((candidate, reference))
    for order in (1, 2, 3, 4):
        expected = nltk_bleu(candidate, reference, order)
        assert score[f"bleu_{order}"] * BLEU_STEP == pytest.approx(expected, abs=BLEU_STEP)


@examples(60)
@given(both=pairs)
def test_corpus_bleu_is_sacrebleus(both):
    score = judged(*both)
    answers, sent = ([" ".join(words) for words in each] for each in zip(*both, strict=True))
    theirs = corpus_bleu(
        answers,
        [sent],
        smooth_method="none",
        tokenize="none",
        force=True,
        use_effective_order=False,
    )
    assert CORPUS_BLEU_4.value(score) == pytest.approx(theirs.score / 100, abs=1e-9)
    assert [score[f"matches_{order}"] for order in (1, 2, 3, 4)] == theirs.counts
    assert [score[f"totals_{order}"] for order in (1, 2, 3, 4)] == theirs.totals
    assert score["words"] == theirs.ref_len


def plain_distance(first, second):
    previous = list(range(len(second) + 1))
    for i, a in enumerate(first, 1):
        row = [i]
        for j, b in enumerate(second, 1):
            row.append(min(previous[j] + 1, row[-1] + 1, previous[j - 1] + (a != b)))
        previous = row
    return previous[-1]


lists_of_numbers = st.lists(st.integers(0, 3), max_size=8)


@given(both=st.lists(st.tuples(lists_of_numbers, lists_of_numbers), min_size=1, max_size=5))
def test_edit_distance_is_levenshteins(both):
    first, second = zip(*both, strict=True)
    expected = [plain_distance(*pair) for pair in both]
    assert edit_distances(first, second).tolist() == expected


def test_error_rates_are_over_what_was_sent():
    score = judged(("the dog is on the", "the cat is on the mat"))
    assert WER.value(score) == 2 / 6  # a word is another one, one is missing
    assert CER.value(score) == (plain_distance("dog", "cat") + len(" mat")) / len(
        "the cat is on the mat"
    )
    wrong = sum(
        (ord(a) ^ ord(b)).bit_count()
        for a, b in zip("the dog is on the\0\0\0\0", "the cat is on the mat", strict=True)
    )
    assert BER.value(score) == wrong / (8 * 21)
    assert score["exact"] == 0


def test_sentence_that_nothing_came_of_has_all_errors():
    score = judged(([], "the cat"))
    assert [metric.value(score) for metric in TASK.METRICS] == [0, 0, 1, 1, pytest.approx(0.4, 0.3)]


@examples(30)
@given(both=pairs, cut=st.integers(1, 5))
def test_merging_scores_equals_pooling_sentences(both, cut):
    parts = [part for part in (both[:cut], both[cut:]) if part]
    assert reduce(merged, [judged(*part) for part in parts]) == judged(*both)
    assert tuple(sorted(judged(*both))) == tuple(sorted(TASK.SUMS))
    assert TASK.check_score(judged(*both), len(both)) == ""


def test_interval_of_a_rate_is_that_of_a_ratio_estimator():
    dice = random.Random(1)
    both = []
    for _ in range(200):
        sent = [dice.choice(VOCABULARY.words) for _ in range(dice.randint(2, LONGEST))]
        both.append(([w if dice.random() < 0.8 else "dog" for w in sent], sent))
    each = [judged(pair) for pair in both]
    errors = np.array([s["word_edits"] for s in each], float)
    words = np.array([s["words"] for s in each], float)
    rate = errors.sum() / words.sum()
    residual = errors - rate * words
    half = 1.959963984540054 * residual.std(ddof=1) * np.sqrt(200) / words.sum()
    assert WER.interval(judged(*both)) == pytest.approx((rate - half, rate + half), abs=1e-9)
    low, high = CORPUS_BLEU_4.interval(judged(*both))
    assert low < CORPUS_BLEU_4.value(judged(*both)) < high


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"exact": 2}, "has 2 of 1 sentences without an error"),
        ({"matches_2": 99}, "more matches of 2 words"),
        ({"bits": -1}, "negative sum"),
        ({"items": 3}, "a score of 3 items, not 1"),
    ],
)
def test_score_that_no_sentences_have_is_refused(changes, complaint):
    assert complaint in TASK.check_score({**judged(("the cat", "the cat")), **changes}, 1)


def test_sums_of_the_largest_frame_fit_into_64_bits():
    words = Vocabulary(("x" * 100,))
    task = Text(vocabulary=5, vocabulary_sha256=words.sha256, longest=256)
    row = np.full((1, 256), FIRST_WORD, np.uint16)
    score = task.judge(row, Sentences(row, words))
    assert 4096 * max(score.values()) <= MAX_SUM


def test_answers_end_where_the_network_says_so():
    outputs = np.array([[4, 5, END, 6], [4, PAD, 5, 6], [7, 6, 5, 4], [np.nan, 5, 5, 5]], "f4")
    expected = [[4, 5, 0, 0], [4, 0, 0, 0], [7, 6, 5, 4], [0, 0, 0, 0]]
    assert TASK.answers(outputs).tolist() == expected


@pytest.mark.parametrize(
    ("token", "complaint"),
    [(12, "token 12, its codec has 12 tokens"), (START, "not a word"), (END, "not a word")],
)
def test_tokens_that_stand_for_no_word_are_refused(token, complaint):
    TASK.check(np.array([[4, UNK, 11]], np.uint16))
    with pytest.raises(ProtocolError, match=complaint):
        TASK.check(np.array([[4, token, 0]], np.uint16))


@given(texts=st.lists(word_lists, max_size=5))
def test_ragged_answers_survive_the_wire(texts):
    form, tokens = TASK.form, rows(texts)
    content = form.format(tokens)
    assert (form.parse(content, len(texts)) == tokens).all()
    assert len(content) == 2 * len(texts) + 2 * sum(map(len, texts))
    assert len(content) <= len(texts) * form.item_bytes


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        ("", "does not contain the lengths"),
        ("01", "does not contain the lengths"),
        ("0100 0000 05", "does not contain the lengths"),
        ("0100 0000", "of 0 numbers, but its lengths add up to 1"),
        ("0100 0000 0500 0500", "of 2 numbers, but its lengths add up to 1"),
        ("0b00 0000" + "0500" * 11, "an answer of length 11, at most 10"),
        ("0100 0100 0500 0000", "holds a zero"),
    ],
)
def test_bytes_that_are_no_answer_are_refused(answer, complaint):
    with pytest.raises(ProtocolError, match=complaint):
        RaggedForm(longest=LONGEST).parse(bytes.fromhex(answer), 2)


@given(answer=st.binary(max_size=40), items=st.integers(0, 4))
def test_any_bytes_are_the_bytes_of_one_answer_or_refused(answer, items):
    form = RaggedForm(longest=5)
    try:
        tokens = form.parse(answer, items)
    except ProtocolError:
        return
    assert form.format(tokens) == answer
