"""Prefix codes and the source codes of sentences: what is read of bits, whatever they are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.families.prefix_code import PrefixCode, huffman_lengths
from semcom.families.sentence_code import SentenceCode, alphabet_of, code_lengths
from semcom.vocabulary import UNK, Vocabulary

WORDS = Vocabulary(("the", "zebra", "at", ".", "a", "quiz"))
KINDS = ("huffman", "five-bit", "word-huffman")
ROWS = np.array([[4, 5, 6, 7, 0], [4, 8, 7, 0, 0], [4, 4, 4, 0, 0]], np.uint16)
sentences = st.lists(st.integers(UNK, len(WORDS) - 1), min_size=1, max_size=20)


def code_of(kind: str) -> SentenceCode:
    return SentenceCode(kind, code_lengths(kind, ROWS, WORDS), WORDS)


@given(st.lists(st.integers(0, 10**6), min_size=2, max_size=60))
def test_huffman_code_is_complete_and_within_a_bit_of_the_entropy(counts):
    lengths = huffman_lengths(counts)
    assert sum(2.0**-length for length in lengths) == 1.0
    weights = np.maximum(counts, 1) / np.maximum(counts, 1).sum()
    entropy = float(-(weights * np.log2(weights)).sum())
    assert entropy - 1e-9 <= float(weights @ lengths) <= entropy + 1


@given(
    st.lists(st.integers(0, 1000), min_size=1, max_size=40).flatmap(
        lambda counts: st.tuples(
            st.just(counts), st.lists(st.integers(0, len(counts) - 1), max_size=50)
        )
    )
)
def test_symbols_are_read_as_they_were_written(drawn):
    counts, symbols = drawn
    code = PrefixCode(huffman_lengths(counts))
    assert list(code.decode(code.encode(symbols))) == symbols


@pytest.mark.parametrize("lengths", [[], [0], [1, 1, 1], [49], [1, 2, 2, 9]])
def test_lengths_of_no_prefix_code_are_refused(lengths):
    with pytest.raises(ValueError, match="codeword"):
        PrefixCode(lengths)


@pytest.mark.parametrize("kind", KINDS)
@given(words=sentences, spare=st.integers(0, 40))
def test_sentence_is_read_as_it_was_written_whatever_fills_the_block_up(kind, words, spare):
    code = code_of(kind)
    bits = code.encode(words)
    assert code.decode(code.block(bits, len(bits) + spare), len(words)) == words


@pytest.mark.parametrize("kind", KINDS)
@given(bits=st.lists(st.integers(0, 1), max_size=200), count=st.integers(1, 12))
def test_any_bits_are_read_as_words_or_unknown_ones(kind, bits, count):
    words = code_of(kind).decode(np.array(bits, np.uint8), count)
    assert len(words) <= count
    assert all(UNK <= word < len(WORDS) for word in words)


@pytest.mark.parametrize("kind", KINDS)
def test_what_does_not_fit_a_block_is_cut(kind):
    code = code_of(kind)
    bits = code.encode([4, 5, 6, 7])
    assert code.decode(code.block(bits, len(bits) - 1), 4)[:3] == [4, 5, 6]
    assert len(code.block(bits, len(bits) - 1)) == len(bits) - 1


def test_frequent_words_and_characters_are_short():
    lengths = dict(
        zip(["unk", *WORDS.words], code_lengths("word-huffman", ROWS, WORDS), strict=True)
    )
    assert min(lengths, key=lengths.__getitem__) == "the"
    of_characters = dict(zip(alphabet_of(WORDS), code_lengths("huffman", ROWS, WORDS), strict=True))
    assert of_characters["t"] < of_characters["q"]
    assert set(code_lengths("five-bit", ROWS, WORDS)) == {5}


def test_five_bits_are_refused_where_there_are_more_characters():
    many = Vocabulary(tuple(chr(number) for number in range(ord("A"), ord("A") + 40)))
    rows = np.array([[4]], np.uint16)
    with pytest.raises(ValueError, match="five-bit: the vocabulary has 41 characters, 32 fit"):
        code_lengths("five-bit", rows, many)


@pytest.mark.parametrize(
    ("kind", "lengths"), [("huffman", [1, 1]), ("five-bit", [4] * 15), ("word-huffman", [3] * 6)]
)
def test_lengths_of_another_vocabulary_are_refused(kind, lengths):
    with pytest.raises(ValueError, match=r"codeword"):
        SentenceCode(kind, lengths, WORDS)
