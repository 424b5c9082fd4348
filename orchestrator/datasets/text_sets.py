"""Prepare a data set of sentences from text files under any name.

Each line is a sentence; transcripts of Europarl are split into sentences. The selection of
sentences and their splits depend only on the sentences, not on files or their order.
"""

from __future__ import annotations

import gzip
import logging
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from orchestrator.datasets.one_writer import alone
from orchestrator.datasets.own_pictures import SUFFIXES as PICTURES
from orchestrator.datasets.parquet_files import SUFFIX as PARQUET
from orchestrator.datasets.prepare import DATASETS
from orchestrator.datasets.sentence_cleaning import MAX_WORDS, MIN_WORDS, sentences
from orchestrator.datasets.word_counts import frequent_words, vocabulary_of
from semcom import vocabulary
from semcom.errors import ConfigurationError
from semcom.files import open_regular
from semcom.names import check_name
from semcom.shards import DatasetManifest, Split
from semcom.text_shards import sentence_key, write_sentences

logger = logging.getLogger("orchestrator.datasets")

WORDS, TRAIN = 8_000, 200_000
HELD_OUT = 5_000  # test sentences at most, and as many for validation
HELD_OUT_SHARE = 0.1  # ... and of all at most
ZIPPED = ".gz"
NO_TEXT = PICTURES | {PARQUET}  # next to which a text file is a note
SUFFIXES = (".txt", ".en", ".text")
TRANSCRIPTS = "ep-"  # transcripts in the corpus europarlmin, next to its minutes
ENGLISH = ".en"  # suffix in a corpus with a file for each language
MAX_LINE = 1 << 20  # characters


@dataclass(frozen=True)
class TextSize:
    """Bounds of a text data set: words of the vocabulary, sentences to train on."""

    words: int = WORDS
    train: int = TRAIN

    def check(self) -> None:
        """Refuse invalid sizes.

        Raises:
            ConfigurationError: one is out of bounds.
        """
        if not 1 <= self.words <= vocabulary.MAX_WORDS:
            raise ConfigurationError(
                f"--words: 1 to {vocabulary.MAX_WORDS:,} are possible, not {self.words}"
            )
        if self.train < 1:
            raise ConfigurationError(f"--sentences: at least 1 is needed, not {self.train}")


def holds_text(source: Path) -> bool:
    """Return whether a source is a text file, or a folder with text files only."""
    try:
        if source.is_file():
            return _is_text(source)
        names = [path for path in source.rglob("*") if path.suffix and not _is_hidden(path, source)]
    except OSError as error:
        raise ConfigurationError(f"cannot read {source}: {error.strerror}") from error
    return any(map(_is_text, names)) and not any(
        path.suffix.casefold() in NO_TEXT for path in names
    )


def prepare_text(name: str, *, root: Path, source: Path, size: TextSize) -> DatasetManifest:
    """Write sentences of text files to `root` as the data set `name`, replacing any existing one.

    Raises:
        ConfigurationError: no such source, or one of which no data set can be made.
        StorageError: the disk is full or cannot be written.
    """
    check_name(name, what="data set")
    if name in DATASETS:
        raise ConfigurationError(f"'{name}' is a known data set; choose another name")
    size.check()
    files = _files(source)
    with alone(root):
        found = dict.fromkeys(text for file in files for text in _sentences(file))
        words = frequent_words(found, size.words)
        texts = [text for text in found if words.issuperset(text.split())]
        splits = split_sentences(texts, train=size.train, what=f"{source} ({name})")
        notes = (
            f"{len(files):,} text file{'s' * (len(files) != 1)}",
            f"{len(found):,} distinct sentences of {MIN_WORDS} to {MAX_WORDS} words",
            f"{len(texts):,} of the {len(words):,} most frequent words",
        )
        logger.info("%s: %s", name, "; ".join(notes))
        return write_sentences(
            root,
            name=name,
            source="; ".join((f"text of {source.name}", *notes)),
            vocabulary=vocabulary_of(texts),
            splits=splits,
        )


def split_sentences(texts: Iterable[str], *, train: int, what: str) -> dict[Split, list[str]]:
    """Return test, validation and training sentences: by ascending SHA-256 of the sentence.

    Raises:
        ConfigurationError: there are too few for three splits.
    """
    ordered = sorted(texts, key=sentence_key)
    held_out = min(HELD_OUT, int(HELD_OUT_SHARE * len(ordered)))
    if held_out < 1:
        raise ConfigurationError(
            f"{what} holds {len(ordered)} usable sentences; a data set needs "
            f"{round(1 / HELD_OUT_SHARE)}, of {MIN_WORDS} to {MAX_WORDS} words, one per line"
        )
    return {
        "train": ordered[2 * held_out : 2 * held_out + train],
        "validation": ordered[held_out : 2 * held_out],
        "test": ordered[:held_out],
    }


def _files(source: Path) -> list[Path]:
    """Return the text files of a source in the order of their names.

    Raises:
        ConfigurationError: there is none.
    """
    if not source.is_dir():
        if not source.exists():
            raise ConfigurationError(f"no file or folder {source}")
        return [source]
    found = [path for path in source.rglob("*") if _is_text(path) and not _is_hidden(path, source)]
    transcripts = [path for path in found if path.name.startswith(TRANSCRIPTS)]
    english = [path for path in found if ENGLISH in path.suffixes]
    files = sorted(transcripts or english or found)
    if not files:
        raise ConfigurationError(f"{source} holds no text files ({', '.join(SUFFIXES)}, .gz)")
    return files


def _is_text(path: Path) -> bool:
    name = path.name.casefold().removesuffix(ZIPPED)
    zipped = name != path.name.casefold()
    return Path(name).suffix in SUFFIXES or (zipped and Path(name).suffix != ".tar")


def _is_hidden(path: Path, source: Path) -> bool:
    return any(part.startswith(".") for part in path.relative_to(source).parts)


def _sentences(path: Path) -> Iterator[str]:
    try:
        yield from sentences(_lines(path))
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8: {error.reason}") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise ConfigurationError(f"{path} is damaged: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror or error}") from error


def _lines(path: Path) -> Iterator[str]:
    with os.fdopen(open_regular(path), "rb") as raw:
        is_zipped = path.suffix.casefold() == ZIPPED
        file = gzip.GzipFile(fileobj=raw) if is_zipped else raw
        number = 0
        while line := file.readline(MAX_LINE):
            number += 1
            if len(line) == MAX_LINE:
                raise ConfigurationError(f"{path}: line {number} has {MAX_LINE:,} bytes or more")
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
