"""Send sentences with a source code, a channel code and QAM.

    words uint16 (N, L) -> bits of the source code -> 5G NR LDPC -> QAM, after its rate's codeword

Shape legend: N sentences of a frame, L words, K complex symbols of a codeword.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from semcom.checkpoints import Checkpoint
from semcom.families.digital import SYMBOLS_PER_WORD, SentenceSource, rate_codewords
from semcom.families.sentence_code import SentenceCode
from semcom.nn.block_code import block_code
from semcom.probe import SEED, SNR_DB, probe_encoder
from semcom.used_symbols import Used
from semcom.vocabulary import FIRST_WORD, PAD
from transmitters.sentence_words import check_words, words_of_each

Symbols = npt.NDArray[np.complex64]
PROBED = 4  # sentences


class SentenceTransmitter:
    """The transmitting half of one link."""

    def __init__(self, source: SentenceSource, code: SentenceCode) -> None:
        self.source = source
        self._code = code
        self._rates_RS = rate_codewords()

    def used_symbols(self, items: npt.NDArray[Any]) -> Used:
        """Return how many symbols of each codeword are sent: words uint16 (N, L) -> uint16 (N,).

        Raises:
            CheckpointError: a sentence is longer than the codec takes.
        """
        words_N = words_of_each(items, longest=self.source.tokens - 1)
        used: Used = (SYMBOLS_PER_WORD * (words_N + 1)).astype(np.uint16)
        return used

    def encode(self, items: npt.NDArray[Any], *, snr_db: float) -> Symbols:
        """Encode one frame: words uint16 (N, L) -> complex64 (N, K), 0 after the used symbols.

        Raises:
            CheckpointError: the codec does not accept these words.
        """
        del snr_db
        check_words(items, vocabulary=self.source.vocabulary)
        symbols_NK = np.zeros((len(items), self.source.symbols), np.complex64)
        for row, words, used in zip(symbols_NK, items, self.used_symbols(items), strict=True):
            row[:used] = self._codeword(words[words != PAD].tolist())
        return symbols_NK

    def _codeword(self, words: list[int]) -> Symbols:
        """Return the symbols of a sentence, with mean power 1."""
        bits = self._code.encode(words)
        rate = self.source.rate_for(len(words), len(bits))
        k = self.source.block_bits(len(words), rate)
        code = block_code(k, self.source.coded_bits(len(words)), self.source.bits_per_symbol)
        sent = code.encode(self._code.block(bits, k))
        # The power of QAM varies from block to block.
        sent /= np.sqrt(np.square(np.abs(sent)).mean(dtype=np.float64)).astype(np.float32)
        codeword: Symbols = np.concatenate([self._rates_RS[rate], sent])
        return codeword


def probe(checkpoint: Checkpoint, codec: SentenceTransmitter) -> None:
    """Encode sentences of random words, of all lengths up to the longest, and check the symbols.

    Raises:
        CheckpointError: they are not valid codewords.
    """
    longest = codec.source.tokens - 1
    words_NL = np.random.default_rng(SEED).integers(
        FIRST_WORD, codec.source.vocabulary, (PROBED, longest), np.uint16
    )
    lengths_N = np.linspace(longest, 1, PROBED).astype(int)
    words_NL[np.arange(longest) >= lengths_N[:, None]] = PAD
    probe_encoder(
        checkpoint,
        lambda: codec.encode(words_NL, snr_db=SNR_DB),
        filled_N=codec.used_symbols(words_NL) / codec.source.symbols,
    )
