"""Text: a sentence is recovered as token ids and compared with the one sent.

Ids are those of the vocabulary of the data set (`semcom/vocabulary.py`); a codec names it by its
digest. Per sentence:

* BLEU-1 to BLEU-4, as in nltk's `sentence_bleu`; corpus BLEU-4 of the summed counts, as in
  sacrebleu.
* WER and CER: edits over the words, or characters, of the sentence sent; words are separated by a
  blank.
* BER: bits of the ASCII text that differ; the shorter text is padded with zero bytes.

Similarity by a sentence encoder needs a network and is not computed by transmitters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from semcom.errors import ProtocolError
from semcom.tasks.bleu import ORDERS, bleu, matches, totals
from semcom.tasks.edit_distance import edit_distances
from semcom.tasks.form import RaggedForm
from semcom.tasks.metric import Interval, Metric, mean, ratio
from semcom.tasks.score import ITEMS, Score
from semcom.tasks.task import Reference, Task
from semcom.vocabulary import END, FIRST_WORD, PAD, START, Vocabulary

BLEU_STEP = 2.0**-24  # squares of 4,096 sentences fit 63 bits
MAX_LONGEST = 256  # tokens of an answer
EXACT = "exact"
WORDS = "words"
Tokens = npt.NDArray[np.uint16]


@dataclass(frozen=True)
class Sentences:
    """References of answers: tokens_NL uint16, padded with PAD, and their vocabulary."""

    tokens_NL: Tokens
    vocabulary: Vocabulary

    def __len__(self) -> int:
        return len(self.tokens_NL)

    def __getitem__(self, items: slice) -> Sentences:
        """Return some of the sentences."""
        return Sentences(self.tokens_NL[items], self.vocabulary)


def _corpus_bleu(score: Score) -> float:
    matched = [score[f"matches_{order}"] for order in ORDERS]
    counted = [score[f"totals_{order}"] for order in ORDERS]
    return bleu(matched, counted, words=counted[0], wanted=score[WORDS])


def _corpus_interval(score: Score) -> Interval:
    """Return an interval with the width of that of the mean BLEU-4 of the sentences.

    The sums do not determine that of the corpus, which would need products of all counts.
    """
    low, high = _intervals["bleu_4"](score)
    half, value = (high - low) / 2, _corpus_bleu(score)
    return max(0.0, value - half), min(1.0, value + half)


_values, _intervals = {}, {}
for _name in (f"bleu_{order}" for order in ORDERS):
    _values[_name], _intervals[_name] = mean(_name, BLEU_STEP, limits=(0.0, 1.0))
BLEU_1 = Metric(
    name="bleu_1", title="BLEU-1", unit="%", better="higher", digits=2, limits=(0.0, 1.0),
    value=_values["bleu_1"], interval=_intervals["bleu_1"], of="bleu_1", step=BLEU_STEP,
)  # fmt: skip
CORPUS_BLEU_4 = Metric(
    name="corpus_bleu_4", title="BLEU-4 of the corpus", unit="%", better="higher", digits=2,
    limits=(0.0, 1.0), value=_corpus_bleu, interval=_corpus_interval,
)  # fmt: skip
# Edits over the sentence sent: name, title, unit of edits, digits.
RATES = (
    ("wer", "WER", "word_edits", WORDS, 2),
    ("cer", "CER", "character_edits", "characters", 2),
    ("ber", "BER", "bit_errors", "bits", 3),
)
_rates = []
for _name, _title, _of, _per, _digits in RATES:
    _value, _interval = ratio(_of, _per)
    _rates.append(
        Metric(
            name=_name, title=_title, unit="%", better="lower", digits=_digits,
            limits=(0.0, None), value=_value, interval=_interval,
        )
    )  # fmt: skip


class Text(Task):
    """A sentence for every sentence; the reference is the sentence sent."""

    METRICS: ClassVar[tuple[Metric, ...]] = (BLEU_1, CORPUS_BLEU_4, *_rates)
    SUMS: ClassVar[tuple[str, ...]] = (
        ITEMS,
        *(f"matches_{order}" for order in ORDERS),
        *(f"totals_{order}" for order in ORDERS),
        *(f"bleu_{order}{power}" for order in ORDERS for power in ("", "_squares")),
        EXACT,
        *(
            name
            for _, _, of, per, _ in RATES
            for name in (of, per, f"{of}_squares", f"{per}_squares", f"{of}_{per}")
        ),
    )
    REFERENCE: ClassVar[Reference] = "sentences"

    kind: Literal["text"] = "text"
    vocabulary: int = Field(gt=FIRST_WORD, le=65536, description="number of token ids")
    vocabulary_sha256: str = Field(
        pattern="^[0-9a-f]{64}$",
        description="digest of the words, one per line, in the order of their ids",
    )
    longest: int = Field(ge=1, le=MAX_LONGEST, description="largest number of tokens in an answer")

    @property
    def form(self) -> RaggedForm:
        """Up to `longest` uint16 per item."""
        return RaggedForm(longest=self.longest)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Token ids as floats, which represent them exactly; a network's NaN stays visible."""
        return (self.longest,)

    def answers(self, outputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return token ids: float32 (N, L) -> uint16 (N, L), PAD from END or the first PAD on."""
        tokens_NL: Tokens = np.rint(np.nan_to_num(outputs)).clip(0, 65535).astype(np.uint16)
        ended_NL = np.logical_or.accumulate((tokens_NL == PAD) | (tokens_NL == END), axis=1)
        tokens_NL[ended_NL] = PAD
        return tokens_NL

    def check(self, answers: npt.NDArray[Any]) -> None:
        """Refuse ids that do not exist, and those that are not words.

        Raises:
            ProtocolError: `shape`.
        """
        highest = int(answers.max(initial=0))
        if highest >= self.vocabulary:
            raise ProtocolError(
                "shape",
                f"was answered with token {highest}, its codec has {self.vocabulary} tokens "
                f"(0 to {self.vocabulary - 1})",
            )
        for token in (START, END):
            if (answers == token).any():
                raise ProtocolError(
                    "shape", f"was answered with token {token}, which is not a word"
                )

    def judge(self, answers: npt.NDArray[Any], references: Any) -> Score:
        """Compare sentences with those sent: uint16 (N, L) against Sentences."""
        assert isinstance(references, Sentences)
        answered, sent = word_lists(answers), word_lists(references.tokens_NL)
        lengths = [len(each) for each in sent]
        texts = [[references.vocabulary.text(each) for each in group] for group in (answered, sent)]
        letters = [[text.encode("ascii") for text in group] for group in texts]
        bits = [_differing_bits(*pair) for pair in zip(*letters, strict=True)]
        rates = (
            (edit_distances(answered, sent).tolist(), lengths),
            (edit_distances(*letters).tolist(), [len(text) for text in letters[1]]),
            ([wrong for wrong, _ in bits], [all_bits for _, all_bits in bits]),
        )
        score = {name: sum(each) for name, each in bleu_columns(answered, sent).items()}
        for (_, _, of, per, _), (wrong, whole) in zip(RATES, rates, strict=True):
            score |= {of: sum(wrong), per: sum(whole), f"{of}_{per}": _product(wrong, whole)}
            score |= {f"{of}_squares": _product(wrong, wrong)}
            score |= {f"{per}_squares": _product(whole, whole)}
        return score

    def check_score(self, score: Mapping[str, int], items: int) -> str:
        """Return what is wrong with the score of this many items; empty if nothing is."""
        if wrong := super().check_score(score, items):
            return wrong
        if min(score.values()) < 0:
            return "has a negative sum"
        if score[EXACT] > items:
            return f"has {score[EXACT]} of {items} sentences without an error"
        for order in ORDERS:
            if score[f"matches_{order}"] > score[f"totals_{order}"]:
                return f"has more matches of {order} words than there are"
        return ""


def word_lists(tokens_NL: npt.NDArray[Any]) -> list[list[int]]:
    """Return each row's tokens up to the first PAD."""
    lengths_N = (np.cumsum(tokens_NL == PAD, axis=1) == 0).sum(axis=1)
    return [row[:n].tolist() for row, n in zip(tokens_NL, lengths_N, strict=True)]


def bleu_columns(
    answered: Sequence[Sequence[int]], sent: Sequence[Sequence[int]]
) -> dict[str, list[int]]:
    """Return every sentence's contribution to the sums for BLEU, a list of N each."""
    found: dict[str, list[int]] = {ITEMS: [1] * len(sent), WORDS: [len(each) for each in sent]}
    found[EXACT] = [int(a == b) for a, b in zip(answered, sent, strict=True)]
    counted = [totals(each) for each in answered]
    matched = [
        many if same else matches(a, b)
        for a, b, many, same in zip(answered, sent, counted, found[EXACT], strict=True)
    ]
    for at, order in enumerate(ORDERS):
        found[f"matches_{order}"] = [each[at] for each in matched]
        found[f"totals_{order}"] = [each[at] for each in counted]
        steps = [
            round(bleu(m[:order], c[:order], words=c[0], wanted=wanted) / BLEU_STEP)
            for m, c, wanted in zip(matched, counted, found[WORDS], strict=True)
        ]
        found[f"bleu_{order}"] = steps
        found[f"bleu_{order}_squares"] = [each * each for each in steps]
    return found


def _differing_bits(answered: bytes, sent: bytes) -> tuple[int, int]:
    """Return the number of differing bits of two texts, and the bits of the longer one."""
    size = max(len(answered), len(sent))
    first, second = (int.from_bytes(text.ljust(size, b"\0"), "big") for text in (answered, sent))
    return (first ^ second).bit_count(), 8 * size


def _product(first: Sequence[int], second: Sequence[int]) -> int:
    return sum(a * b for a, b in zip(first, second, strict=True))
