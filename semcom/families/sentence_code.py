"""Source codes of sentences: words of a vocabulary to bits, and back.

    huffman        a Huffman code of the characters; a blank between two words
    five-bit       five bits per character
    word-huffman   a Huffman code of the words: both ends have the vocabulary as their dictionary

The receiver knows the number of words from the length of the codeword, so nothing marks the end.
Wrong bits are decoded as received: a word outside the vocabulary becomes UNK.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import Literal

import numpy as np

from semcom.families.prefix_code import Bits, PrefixCode, huffman_lengths
from semcom.text_shards import Tokens
from semcom.vocabulary import FIRST_WORD, PAD, UNK, Vocabulary

SentenceCodeKind = Literal["huffman", "five-bit", "word-huffman"]
FIXED = 5  # bits of a character
BLANK = " "


def alphabet_of(vocabulary: Vocabulary) -> str:
    """Return the characters of a vocabulary in the order of their symbols, the blank first."""
    return BLANK + "".join(sorted(set("".join(vocabulary.words))))


def code_lengths(kind: SentenceCodeKind, tokens_NL: Tokens, vocabulary: Vocabulary) -> list[int]:
    """Return the lengths of the codewords for sentences like these.

    Raises:
        ValueError: the vocabulary has more characters than five bits can represent.
    """
    counts = np.bincount(tokens_NL[tokens_NL != PAD], minlength=len(vocabulary)).tolist()
    if kind == "word-huffman":
        return huffman_lengths(counts[UNK:])
    alphabet = alphabet_of(vocabulary)
    if kind == "five-bit":
        if len(alphabet) > 1 << FIXED:
            raise ValueError(
                f"five-bit: the vocabulary has {len(alphabet)} characters, {1 << FIXED} fit"
            )
        return [FIXED] * len(alphabet)
    characters = dict.fromkeys(alphabet, 0)
    for count, word in zip(counts[FIRST_WORD:], vocabulary.words, strict=True):
        for character in word + BLANK:
            characters[character] += count
    return huffman_lengths([characters[each] for each in alphabet])


class SentenceCode:
    """One of the source codes for the words of a vocabulary."""

    def __init__(
        self, kind: SentenceCodeKind, lengths: Sequence[int], vocabulary: Vocabulary
    ) -> None:
        """Build the code.

        Raises:
            ValueError: there is no code with these lengths, or it does not fit this vocabulary.
        """
        self._of_words = kind == "word-huffman"
        self._vocabulary = vocabulary
        self._alphabet = "" if self._of_words else alphabet_of(vocabulary)
        expected = len(vocabulary) - UNK if self._of_words else len(self._alphabet)
        if len(lengths) != expected:
            raise ValueError(f"{len(lengths)} codewords, its vocabulary needs {expected}")
        if kind == "five-bit" and set(lengths) != {FIXED}:
            raise ValueError("a codeword of five-bit has five bits")
        self._code = PrefixCode(lengths)
        self._places = {character: at for at, character in enumerate(self._alphabet)}

    def encode(self, words: Sequence[int]) -> Bits:
        """Return the bits of a sentence, given as token ids of words, including UNK."""
        if self._of_words:
            return self._code.encode(word - UNK for word in words)
        known = self._vocabulary.words
        # UNK is a word without characters.
        text = BLANK.join(known[word - FIRST_WORD] if word != UNK else "" for word in words)
        return self._code.encode(self._places[character] for character in text)

    def block(self, bits: Bits, size: int) -> Bits:
        """Return a block of `size` bits: those of a sentence that fit, then blanks."""
        filled = np.zeros(size, np.uint8)
        if not self._of_words:
            filled = np.resize(self._code.encode([0]), size)
        kept = bits[:size]
        filled[: len(kept)] = kept
        return filled

    def decode(self, bits: Bits, count: int) -> list[int]:
        """Return the token ids of the words in bits, at most `count`."""
        symbols = self._code.decode(bits)
        if self._of_words:
            return [UNK if each is None else each + UNK for each in islice(symbols, count)]
        words: list[str] = []
        word = ""
        for each in symbols:
            if len(words) == count:
                break
            if each == 0:
                words.append(word)
                word = ""
            else:
                word += "?" if each is None else self._alphabet[each]
        if len(words) == count - 1 or (word and len(words) < count):
            words.append(word)  # the last one has no blank after it
        return self._vocabulary.ids(words)
