"""Convert lines of text to the sentences of a data set, as DeepSC's public code does for Europarl.

Letters lose their accents and become lower-case, `.`, `!` and `?` become words, and everything else
becomes a blank. A sentence has 5 to 29 words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator

MIN_WORDS, MAX_WORDS = 5, 29
TAG = re.compile(r"\s*<[A-Za-z][^<>]*>\s*")  # a whole line, as <SPEAKER ID="081" NAME="...">
LANGUAGE = re.compile(r"\([A-Z]{2}\)")  # of a speech that was translated, as (PT)
SENTENCE_END = re.compile(r"""(?<=[.!?])['")]*\s+(?=['"(]*[A-Z])""")
MARK = re.compile(r"([.!?])")
OTHER = re.compile(r"[^a-z.!?]+")


def cleaned(line: str) -> str:
    """Return the words of a line separated by blanks; empty if there are none."""
    letters = line
    if not line.isascii():
        parts = unicodedata.normalize("NFD", line)
        letters = "".join(each for each in parts if unicodedata.category(each) != "Mn")
    return OTHER.sub(" ", MARK.sub(r" \1", letters.lower())).strip()


def is_sentence(text: str) -> bool:
    """Return whether the number of words of a cleaned line is allowed for a sentence."""
    return MIN_WORDS <= text.count(" ") + 1 <= MAX_WORDS


def sentences(lines: Iterable[str]) -> Iterator[str]:
    """Yield the cleaned sentences of a file, one per line.

    A file with lines that are tags is a transcript of Europarl: its other lines are paragraphs,
    which are split into sentences.
    """
    is_transcript = False
    for line in lines:
        if TAG.fullmatch(line):
            is_transcript = True
            continue
        pieces = SENTENCE_END.split(LANGUAGE.sub(" ", line)) if is_transcript else [line]
        for piece in pieces:
            text = cleaned(piece)
            if is_sentence(text):
                yield text
