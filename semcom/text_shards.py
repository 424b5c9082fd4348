"""Shards of sentences: rows of token ids with a manifest of format 3 and a vocabulary.

    data/<name>/dataset.json
    data/<name>/vocabulary.txt      one word per line, the first one has the id 4
    data/<name>/train/tokens.npy    uint16 (N, L), words padded with PAD
    data/<name>/validation/...
    data/<name>/test/...

A sentence contains only words; START and END belong to codecs. The sentences of a split are stored
in *canonical order*: ascending SHA-256 of their text, with the words separated by a blank.

Shape legend: N sentences, L words of the longest sentence.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from semcom.array_files import map_array, save_array
from semcom.errors import ConfigurationError, StorageError
from semcom.files import read_file, write_atomically
from semcom.shards import (
    MANIFEST,
    DatasetManifest,
    SentenceForm,
    Shard,
    Span,
    Split,
    SplitManifest,
    read_manifest,
    reading_split,
)
from semcom.tasks.task import Task
from semcom.tasks.text import Sentences
from semcom.vocabulary import FIRST_WORD, PAD, UNK, Vocabulary

VOCABULARY = "vocabulary.txt"
MAX_VOCABULARY_BYTES = 16 << 20
Tokens = npt.NDArray[np.uint16]


class TextShard:
    """One split of a set of sentences as a memory map; `vocabulary` defines the ids.

    tokens_NL: uint16 (N, L); lengths_N: int64 (N,), words of each sentence.
    """

    def __init__(self, root: Path, split: Split) -> None:
        self.manifest = read_manifest(root)
        self.split: Split = split
        form = self.manifest.sentences
        if form is None:
            raise ConfigurationError(f"data set {root} holds images, but sentences are needed here")
        with reading_split(root, self.manifest, split):
            content = read_file(root / VOCABULARY, max_bytes=MAX_VOCABULARY_BYTES)
            self.vocabulary = Vocabulary.parse(content)
            self.tokens_NL: Tokens = map_array(root / split / "tokens.npy")
            self._check(form)
            self.lengths_N = lengths(self.tokens_NL)

    @property
    def digest(self) -> str:
        """SHA-256 of the split as its manifest states it."""
        return self.manifest.splits[self.split].sha256

    def computed_digest(self) -> str:
        """SHA-256 of what the split holds."""
        return text_digest(self.tokens_NL, self.vocabulary)

    @property
    def items(self) -> Tokens:
        """Return the items that a transmitter sends: the sentences."""
        return self.tokens_NL

    def references(self, task: Task, items: Span) -> Sentences:
        """Return the references of some items for a task: the sentences.

        Raises:
            ConfigurationError: the task judges images, or needs labels.
        """
        if task.REFERENCE != "sentences":
            raise ConfigurationError(
                f"data set {self.manifest.name} holds sentences, which {task.kind} does not judge"
            )
        return Sentences(items.cut(self.tokens_NL), self.vocabulary)

    def __len__(self) -> int:
        return len(self.tokens_NL)

    def _check(self, form: SentenceForm) -> None:
        vocabulary, tokens_NL = self.vocabulary, self.tokens_NL
        if (len(vocabulary), vocabulary.sha256) != (form.vocabulary, form.vocabulary_sha256):
            raise ValueError("its vocabulary is not the one that its manifest names")
        expected = (self.manifest.splits[self.split].images, form.longest)
        if tokens_NL.shape != expected or tokens_NL.dtype != np.uint16:
            raise ValueError(
                f"it holds {tokens_NL.dtype} {tokens_NL.shape}, its manifest says {expected}"
            )
        check_tokens(tokens_NL, vocabulary)


AnyShard = Shard | TextShard


def open_shard(root: Path, split: Split) -> AnyShard:
    """Return a split of a data set of images or sentences.

    Raises:
        ConfigurationError: it is missing or damaged.
    """
    is_text = read_manifest(root).sentences is not None
    return TextShard(root, split) if is_text else Shard(root, split)


def lengths(tokens_NL: Tokens) -> npt.NDArray[np.int64]:
    """Return how many words each sentence has."""
    counted: npt.NDArray[np.int64] = (tokens_NL != PAD).sum(axis=1)
    return counted


def check_tokens(tokens_NL: Tokens, vocabulary: Vocabulary) -> None:
    """Check that each row has at least one word, followed only by PAD.

    Raises:
        ValueError: one does not.
    """
    there = tokens_NL != PAD
    lengths_N = there.sum(axis=1)
    if not len(tokens_NL) or not lengths_N.all():
        raise ValueError("a sentence has no words")
    if (there != (np.arange(tokens_NL.shape[1]) < lengths_N[:, None])).any():
        raise ValueError("a sentence has words after its end")
    words = tokens_NL[there]
    highest = int(words.max())
    if highest >= len(vocabulary):
        raise ValueError(f"it has token {highest}, but {len(vocabulary)} tokens")
    if ((words < FIRST_WORD) & (words != UNK)).any():
        raise ValueError("a sentence has a token that is not a word")


def text_digest(tokens_NL: Tokens, vocabulary: Vocabulary) -> str:
    """SHA-256 over the vocabulary, the length of rows and the tokens in the order given."""
    digest = hashlib.sha256(vocabulary.sha256.encode("ascii"))
    digest.update(tokens_NL.shape[1].to_bytes(2, "little"))
    digest.update(np.ascontiguousarray(tokens_NL, dtype="<u2").tobytes())
    return digest.hexdigest()


def sentence_key(text: str) -> bytes:
    """Return the sort key of the canonical order: the SHA-256 of a text."""
    return hashlib.sha256(text.encode("ascii")).digest()


def write_sentences(
    root: Path,
    *,
    name: str,
    source: str,
    vocabulary: Vocabulary,
    splits: Mapping[Split, Iterable[str]],
) -> DatasetManifest:
    """Write shards and manifest; the manifest comes last, so a data set is complete or absent.

    Args:
        root: folder to write, created if absent.
        name: the data set's name.
        source: origin of the sentences, for information.
        vocabulary: vocabulary of the words.
        splits: the sentences of each split, in any order, with words separated by a blank.

    Raises:
        ConfigurationError: a split without sentences.
        StorageError: the disk is full or cannot be written.
    """
    ordered = {split: sorted(texts, key=sentence_key) for split, texts in splits.items()}
    for split, texts in ordered.items():
        if not texts:
            raise ConfigurationError(f"{name}: no {split} sentences")
    rows = {
        split: [vocabulary.ids(text.split()) for text in texts] for split, texts in ordered.items()
    }
    longest = max(len(row) for each in rows.values() for row in each)
    written: dict[Split, SplitManifest] = {}
    try:
        root.mkdir(parents=True, exist_ok=True)
        (root / MANIFEST).unlink(missing_ok=True)
        write_atomically(root / VOCABULARY, vocabulary.format())
        for split, sentences in rows.items():
            tokens_NL = _padded(sentences, longest)
            check_tokens(tokens_NL, vocabulary)
            (root / split).mkdir(exist_ok=True)
            save_array(root / split / "tokens.npy", tokens_NL)
            written[split] = SplitManifest(
                images=len(tokens_NL), sha256=text_digest(tokens_NL, vocabulary)
            )
        form = SentenceForm(
            vocabulary=len(vocabulary), vocabulary_sha256=vocabulary.sha256, longest=longest
        )
        manifest = DatasetManifest(
            format=3, name=name, classes=[], source=source, splits=written, sentences=form
        )
        write_atomically(root / MANIFEST, manifest.as_json())
    except OSError as error:
        reason = error.strerror or error  # a short write has no error number
        raise StorageError(f"cannot write data set {root}: {reason}") from error
    return manifest


def _padded(sentences: Sequence[Sequence[int]], longest: int) -> Any:
    tokens_NL = np.full((len(sentences), longest), PAD, dtype="<u2")
    for row, words in zip(tokens_NL, sentences, strict=True):
        row[: len(words)] = words
    return tokens_NL
