"""Build codecs of the family `digital`, without training and without torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from semcom.checkpoints import Checkpoint, weight_files, write_codec
from semcom.codec_arrays import End, format_arrays
from semcom.codec_manifest import FamilyManifest
from semcom.errors import CheckpointError, ConfigurationError
from semcom.families.digital import (
    BitsPerSymbol,
    DigitalArchitecture,
    SentenceSource,
    sentence_arrays,
)
from semcom.families.sentence_code import SentenceCode, SentenceCodeKind, code_lengths
from semcom.files import is_there
from semcom.tasks.text import Text
from semcom.text_shards import TextShard
from semcom.vocabulary import PAD

SYSTEM = "digital"
# 9 bits a word need half the coded bits that 23 to 28 do.
USUAL: dict[SentenceCodeKind, BitsPerSymbol] = {"huffman": 4, "five-bit": 4, "word-huffman": 2}
MEASURED = 5_000  # training sentences, for information


def check_free(folder: Path) -> None:
    """Check that a folder contains no codec.

    Raises:
        CheckpointError: it contains one.
    """
    if is_there(folder / "manifest.json"):
        raise CheckpointError(
            f"{folder} already contains a codec; remove it first, or choose another name"
        )


def make_sentence_codec(
    shard: TextShard,
    folder: Path,
    *,
    kind: SentenceCodeKind,
    bits_per_symbol: BitsPerSymbol | None = None,
) -> Checkpoint:
    """Write a codec for sentences into its own folder.

    Args:
        shard: the training sentences; the source code is made for them.
        folder: target; its name is the codec's.
        kind: kind of source code.
        bits_per_symbol: None: 2 for word-huffman, else 4.

    Raises:
        CheckpointError: the folder holds a codec.
        ConfigurationError: the source code does not fit the vocabulary.
        StorageError: the disk is full or cannot be written.
    """
    check_free(folder)
    form = shard.manifest.sentences
    assert form is not None
    try:
        lengths = code_lengths(kind, np.asarray(shard.tokens_NL), shard.vocabulary)
        code = SentenceCode(kind, lengths, shard.vocabulary)
    except ValueError as error:
        raise ConfigurationError(f"data set {shard.manifest.name}: {error}") from error
    source = SentenceSource(
        kind=kind,
        vocabulary=len(shard.vocabulary),
        tokens=form.longest + 1,
        bits_per_symbol=USUAL[kind] if bits_per_symbol is None else bits_per_symbol,
    )
    content = format_arrays(sentence_arrays(shard.vocabulary, lengths))
    contents: dict[End, bytes] = {"transmitter": content, "receiver": content}
    manifest = FamilyManifest(
        family="digital",
        name=folder.name,
        system=f"{SYSTEM}-{kind}",
        dataset=shard.manifest.name,
        task=Text(
            vocabulary=source.vocabulary,
            vocabulary_sha256=shard.vocabulary.sha256,
            longest=source.tokens,
        ),
        symbols=source.symbols,
        variable_length=True,
        architecture=DigitalArchitecture(source=source).model_dump(mode="json", exclude_none=True),
        weights=weight_files(contents),
        training={
            "made_of": shard.manifest.name,
            "dataset_sha256": shard.digest,
            "training_sentences": len(shard),
        },
        results=measured(source, code, shard),
    )
    return write_codec(folder, manifest, contents)


def measured(source: SentenceSource, code: SentenceCode, shard: TextShard) -> dict[str, float]:
    """Return bits per word, and the share of truncated sentences, of the first sentences."""
    tokens_NL = shard.tokens_NL[:MEASURED]
    words = bits = cut = 0
    for row in tokens_NL:
        ids = row[row != PAD].tolist()
        needed = len(code.encode(ids))
        words, bits = words + len(ids), bits + needed
        cut += needed > source.block_bits(len(ids), source.rate_for(len(ids), needed))
    return {"bits_per_word": bits / words, "cut_share": cut / len(tokens_NL)}
