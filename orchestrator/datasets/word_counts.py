"""Count the words of sentences, from which a vocabulary is built."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from semcom.vocabulary import Vocabulary


def frequent_words(texts: Iterable[str], most: int) -> set[str]:
    """Return the most frequent words; of equally frequent ones, the alphabetically first."""
    return set(_by_falling_count(texts)[:most])


def vocabulary_of(texts: Iterable[str]) -> Vocabulary:
    """Return the vocabulary of sentences: all of their words, by descending count."""
    return Vocabulary(tuple(_by_falling_count(texts)))


def _by_falling_count(texts: Iterable[str]) -> list[str]:
    counts = Counter(word for text in texts for word in text.split())
    return sorted(counts, key=lambda word: (-counts[word], word))
