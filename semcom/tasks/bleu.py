"""BLEU of Papineni et al. (2002): clipped n-gram precisions and the brevity penalty, unsmoothed.

For one sentence, BLEU-n is nltk's `sentence_bleu` with cumulative weights 1/n; for a corpus, BLEU-4
is sacrebleu's, computed from sums over all sentences.

Shape legend: N sentences, O orders of n-grams.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from math import exp, log

ORDERS = (1, 2, 3, 4)
Words = Sequence[int]


def matches(candidate: Words, reference: Words) -> list[int]:
    """Return the clipped number of a candidate's n-grams in its reference, for each order."""
    found = []
    for order in ORDERS:
        wanted = _ngrams(reference, order)
        found.append(sum(min(n, wanted[each]) for each, n in _ngrams(candidate, order).items()))
    return found


def totals(candidate: Words) -> list[int]:
    """Return the number of n-grams of a candidate, for each order."""
    return [max(0, len(candidate) - order + 1) for order in ORDERS]


def bleu(matched: Sequence[int], counted: Sequence[int], *, words: int, wanted: int) -> float:
    """Return BLEU over as many orders as there are counts; 0 if an order has no match.

    Args:
        matched: matches of each order.
        counted: n-grams of the candidate of each order.
        words: number of words of the candidate.
        wanted: number of words of the reference.
    """
    if not all(matched):
        return 0.0
    precision = sum(log(m / c) for m, c in zip(matched, counted, strict=True)) / len(matched)
    penalty = min(0.0, 1.0 - wanted / words)
    return exp(precision + penalty)


def _ngrams(words: Words, order: int) -> Counter[tuple[int, ...]]:
    return Counter(zip(*(words[at:] for at in range(order)), strict=False))
