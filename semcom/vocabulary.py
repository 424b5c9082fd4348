"""Words and their token ids: a vocabulary belongs to a data set; codecs name it by its digest.

Ids 0 to 3 are not words: PAD pads rows, START and END belong to codecs, and UNK represents words
outside the vocabulary. Words start at 4.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

PAD, START, END, UNK = 0, 1, 2, 3
FIRST_WORD = 4
UNKNOWN = "<unk>"
MAX_WORDS = 65_536 - FIRST_WORD
MAX_WORD = 100  # characters


@dataclass(frozen=True)
class Vocabulary:
    """Words in the order of their ids; `words[0]` has the id FIRST_WORD."""

    words: tuple[str, ...]

    @classmethod
    def parse(cls, content: bytes) -> Vocabulary:
        """Return the vocabulary of a file with one word per line.

        Raises:
            ValueError: a line contains no word, or a word twice.
        """
        words = content.decode("ascii").splitlines()
        for number, word in enumerate(words, 1):
            if not word or len(word) > MAX_WORD or not word.isprintable() or " " in word:
                raise ValueError(f"line {number} of the vocabulary is not a word")
        if len(set(words)) < len(words):
            raise ValueError("the vocabulary contains a word twice")
        if not 1 <= len(words) <= MAX_WORDS:
            raise ValueError(f"the vocabulary has {len(words)} words; allowed: 1 to {MAX_WORDS}")
        return cls(tuple(words))

    def format(self) -> bytes:
        """Return the content of a file with one word per line."""
        return "".join(f"{word}\n" for word in self.words).encode("ascii")

    def __len__(self) -> int:
        """Return the number of ids, including those without a word."""
        return FIRST_WORD + len(self.words)

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 by which data sets and codecs name this vocabulary."""
        return hashlib.sha256(self.format()).hexdigest()

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: FIRST_WORD + at for at, word in enumerate(self.words)}

    def ids(self, words: Iterable[str]) -> list[int]:
        """Return the ids of words; UNK for unknown ones."""
        return [self._ids.get(word, UNK) for word in words]

    def text(self, ids: Sequence[int]) -> str:
        """Return the words of ids, separated by spaces; ids without a word become UNKNOWN."""
        last = len(self)
        return " ".join(
            self.words[each - FIRST_WORD] if FIRST_WORD <= each < last else UNKNOWN for each in ids
        )
