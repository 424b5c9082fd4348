"""Words and their token ids: a vocabulary belongs to a data set, and codecs name it by its digest.

Ids 0 to 3 are no words: PAD fills rows up, START and END are a codec's own, UNK stands for a word
that the vocabulary does not have. Words follow from 4.
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
        """Return the vocabulary of a file of one word a line.

        Raises:
            ValueError: a line holds no word, or one for the second time.
        """
        words = content.decode("ascii").splitlines()
        for number, word in enumerate(words, 1):
            if not word or len(word) > MAX_WORD or not word.isprintable() or " " in word:
                raise ValueError(f"line {number} of the vocabulary holds no word")
        if len(set(words)) < len(words):
            raise ValueError("the vocabulary holds a word twice")
        if not 1 <= len(words) <= MAX_WORDS:
            raise ValueError(f"the vocabulary holds {len(words)} words, 1 to {MAX_WORDS} fit")
        return cls(tuple(words))

    def format(self) -> bytes:
        """Return the content of a file of one word a line."""
        return "".join(f"{word}\n" for word in self.words).encode("ascii")

    def __len__(self) -> int:
        """Return how many ids there are, those that are no words included."""
        return FIRST_WORD + len(self.words)

    @cached_property
    def sha256(self) -> str:
        """Return the SHA-256 by which data sets and codecs name this vocabulary."""
        return hashlib.sha256(self.format()).hexdigest()

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {word: FIRST_WORD + at for at, word in enumerate(self.words)}

    def ids(self, words: Iterable[str]) -> list[int]:
        """Return the ids of words; UNK of those that are not known."""
        return [self._ids.get(word, UNK) for word in words]

    def text(self, ids: Sequence[int]) -> str:
        """Return the words of ids with a blank between them; what is no word is UNKNOWN."""
        last = len(self)
        return " ".join(
            self.words[each - FIRST_WORD] if FIRST_WORD <= each < last else UNKNOWN for each in ids
        )
