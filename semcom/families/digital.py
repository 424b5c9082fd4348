"""The family `digital`: source code, channel code and QAM; a command builds it without training.

    sentence -> bits of a source code -> 5G NR LDPC -> QAM -> codeword
    image    -> file of an image format -> 5G NR LDPC -> QAM -> codeword

A sentence of n words has 8 (n + 1) symbols, as with the learnt codecs. The first 8 are one of 16
biorthogonal codewords and state which of 16 rates the block has; the other 8 n carry the block.

An image is one block; its QAM and its rate follow from the SNR, which both ends know.
"""

from __future__ import annotations

import hashlib
from typing import Annotated, Any, Literal, Self

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from semcom.codec_arrays import Arrays, End, parse_arrays
from semcom.errors import CheckpointError
from semcom.families.family import Family
from semcom.families.image_formats import ImageFormat
from semcom.families.label_code import label_code
from semcom.families.sentence_code import SentenceCode, SentenceCodeKind
from semcom.frame_messages import MAX_SYMBOLS
from semcom.points import SNR_MAX_DB, SNR_MIN_DB
from semcom.tasks.reconstruction import Reconstruction
from semcom.tasks.task import Task
from semcom.tasks.text import MAX_LONGEST, Text
from semcom.vocabulary import FIRST_WORD, Vocabulary

SYMBOLS_PER_WORD = 8
RATES = 16  # of a sentence's block
MIN_BITS = 12  # of a block, as 5G NR has them
MAX_BLOCK_BYTES = 1056  # of 8,448 bits, the longest block of 5G NR
LOWEST_RATE, HIGHEST_RATE = 0.2, 0.925
BitsPerSymbol = Literal[2, 4, 6]  # QPSK, 16-QAM, 64-QAM
VOCABULARY, LENGTHS, MEAN = "vocabulary", "code.lengths", "mean"  # arrays


class SentenceSource(BaseModel):
    """A source code for sentences, and the QAM that sends its bits."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: SentenceCodeKind = Field(description="the source code")
    vocabulary: int = Field(gt=FIRST_WORD, le=65536, description="number of token ids")
    tokens: int = Field(ge=2, le=MAX_LONGEST, description="words of the longest sentence, plus one")
    bits_per_symbol: BitsPerSymbol = Field(description="2: QPSK, 4: 16-QAM, 6: 64-QAM")

    @property
    def symbols(self) -> int:
        """K of every codeword."""
        return SYMBOLS_PER_WORD * self.tokens

    def coded_bits(self, words: int) -> int:
        """Return the coded bits of the block of a sentence."""
        return SYMBOLS_PER_WORD * self.bits_per_symbol * words

    def block_bits(self, words: int, rate: int) -> int:
        """Return k of the block of a sentence at one of the rates 0 to 15.

        Rate r is (r + 5) / 20 of 0.92, the highest one. A block has at least 12 bits.
        """
        return max(MIN_BITS, self.coded_bits(words) * 23 * (rate + 5) // 500)

    def rate_for(self, words: int, bits: int) -> int:
        """Return the lowest rate whose block holds this many bits; otherwise the highest."""
        fitting = (rate for rate in range(RATES) if self.block_bits(words, rate) >= bits)
        return next(fitting, RATES - 1)


class Mode(BaseModel):
    """QAM and block for images that are sent at or above an SNR."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    snr_db: float = Field(
        ge=SNR_MIN_DB, le=SNR_MAX_DB, description="lowest SNR at which it is used"
    )
    bits_per_symbol: BitsPerSymbol = Field(description="2: QPSK, 4: 16-QAM, 6: 64-QAM")
    block_bytes: int = Field(
        ge=2, le=MAX_BLOCK_BYTES, description="largest size of a file in bytes"
    )


class ImageSource(BaseModel):
    """An image format, and the QAM and block for every SNR."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: ImageFormat = Field(description="format of the files")
    symbols: int = Field(ge=8, le=MAX_SYMBOLS, description="K, symbols of every codeword")
    modes: tuple[Mode, ...] = Field(min_length=1, description="modes in ascending order of SNR")

    @model_validator(mode="after")
    def _is_sent(self) -> Self:
        snrs_db = [mode.snr_db for mode in self.modes]
        if sorted(set(snrs_db)) != snrs_db:
            raise ValueError("modes: their SNRs must ascend")
        for mode in self.modes:
            rate = 8 * mode.block_bytes / (self.symbols * mode.bits_per_symbol)
            if not LOWEST_RATE <= rate <= HIGHEST_RATE:
                raise ValueError(
                    f"modes: {mode.block_bytes} bytes at {mode.snr_db:g} dB are a rate of "
                    f"{rate:.3f}, not {LOWEST_RATE} to {HIGHEST_RATE}"
                )
        return self

    def mode_at(self, snr_db: float) -> Mode:
        """Return the mode for an SNR, or the first one below all; compares in single precision.

        Both ends then find the same mode: receivers get the SNR as float32.
        """
        snr_db = float(np.float32(snr_db))
        return next((mode for mode in reversed(self.modes) if mode.snr_db <= snr_db), self.modes[0])


class DigitalArchitecture(BaseModel):
    """Both ends: what is sent, and how; only images have an `item`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: Annotated[SentenceSource | ImageSource, Field(discriminator="kind")]
    item: tuple[int, int, int] | None = Field(
        default=None, description="height, width, channels of an image"
    )
    parameters: dict[str, int] = Field(
        default={}, description="number of parameters of each part, for tables"
    )


def rate_codewords() -> npt.NDArray[np.complex64]:
    """Return the codewords of the rates, complex64 (16, 8): biorthogonal, of unit power."""
    reals = label_code("biorthogonal", classes=RATES, symbols=SYMBOLS_PER_WORD)
    return np.ascontiguousarray(reals).view(np.complex64)


def sentence_arrays(vocabulary: Vocabulary, lengths: list[int]) -> Arrays:
    """Return the arrays that both ends of a codec for sentences have."""
    return {
        VOCABULARY: np.frombuffer(vocabulary.format(), dtype=np.uint8),
        LENGTHS: np.array(lengths, dtype=np.uint8),
    }


def read_sentence_code(source: SentenceSource, content: bytes) -> SentenceCode:
    """Return the source code in an end's file.

    Raises:
        CheckpointError: it is not safetensors, or belongs to another source code.
    """
    arrays = _arrays(content, (VOCABULARY, LENGTHS))
    try:
        vocabulary = Vocabulary.parse(arrays[VOCABULARY].tobytes())
        if len(vocabulary) != source.vocabulary:
            raise ValueError(f"{len(vocabulary)} tokens, the manifest has {source.vocabulary}")
        return SentenceCode(source.kind, arrays[LENGTHS].tolist(), vocabulary)
    except ValueError as error:
        raise CheckpointError(f"holds no source code of the codec: {error}") from error


def read_mean(content: bytes) -> npt.NDArray[np.uint8]:
    """Return the mean colour in an end's file, uint8 (3,): the answer if a block fails.

    Raises:
        CheckpointError: it is not safetensors, or holds something else.
    """
    mean = _arrays(content, (MEAN,))[MEAN].astype(np.uint8)
    if mean.shape != (3,):
        raise CheckpointError(f"{MEAN} holds {mean.size} values, not 3")
    return mean


def _arrays(content: bytes, names: tuple[str, ...]) -> Arrays:
    arrays = parse_arrays(content)
    if set(arrays) != set(names):
        raise CheckpointError(f"holds {sorted(arrays)[:4]}, not {sorted(names)}")
    for name, array in arrays.items():
        if array.dtype != np.uint8 or array.ndim != 1:
            raise CheckpointError(f"{name} is {array.dtype} {array.shape}, not uint8 in one row")
    return arrays


def check_content(manifest: Any, end: End, content: bytes) -> None:
    """Check one end's file, and that the manifest is consistent.

    Raises:
        CheckpointError: the file is not the codec's source code, or task, symbols, `needs_snr`,
            `links` or `variable_length` do not agree with the architecture.
    """
    del end  # both hold the same
    architecture = DigitalArchitecture.model_validate(manifest.architecture)
    source = architecture.source
    is_text = isinstance(source, SentenceSource)
    stated = (manifest.symbols, manifest.needs_snr, manifest.links, manifest.variable_length)
    expected = (source.symbols, not is_text, 1, is_text)
    if stated != expected:
        raise CheckpointError(
            f"symbols, needs_snr, links, variable_length are {stated}, the architecture's "
            f"{expected}"
        )
    if isinstance(source, SentenceSource):
        read_sentence_code(source, content)
        sha256 = hashlib.sha256(parse_arrays(content)[VOCABULARY].tobytes()).hexdigest()
        task: Task = Text(
            vocabulary=source.vocabulary, vocabulary_sha256=sha256, longest=source.tokens
        )
    else:
        read_mean(content)
        task = reconstruction_of(architecture)
    if manifest.task != task:
        raise CheckpointError("the manifest's task is not that of what the codec sends")


def reconstruction_of(architecture: DigitalArchitecture) -> Reconstruction:
    """Return the task of a codec for images.

    Raises:
        CheckpointError: its architecture states no valid item.
    """
    try:
        return Reconstruction.model_validate({"shape": architecture.item})
    except ValidationError as error:
        raise CheckpointError(f"the item {architecture.item} is not an image") from error


DIGITAL = Family(
    name="digital",
    title="Digital",
    architecture=DigitalArchitecture,
    files={"transmitter": "transmitter.safetensors", "receiver": "receiver.safetensors"},
    transmitter="transmitters.digital.codec:load_transmitter",
    receiver="receiver.digital.codec:load_receiver",
    check="semcom.families.digital:check_content",
    engines=("torch",),
    systems={
        "digital-webp": "WebP + LDPC",
        "digital-vp8": "VP8 + LDPC",
        "digital-jpeg": "JPEG + LDPC",
        "digital-avif": "AVIF + LDPC",
        "digital-huffman": "Huffman + LDPC",
        "digital-five-bit": "Five-bit + LDPC",
        "digital-word-huffman": "Word Huffman + LDPC",
    },
)
