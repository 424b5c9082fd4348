"""Decode sentences that were sent with a source code, a channel code and QAM.

    z~ (N, K), CSI (N, M) -> z~ / h -> the rate by its codeword -> LLRs -> 5G NR LDPC
                          -> bits of the source code -> token ids

A block with errors is decoded as received. Every codeword is decoded separately.
Shape legend: N sentences of a frame, K complex symbols, M columns of channel state, S symbols of a
rate's codeword.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from receiver.digital.gains import Equalized, equalized
from semcom.families.digital import SYMBOLS_PER_WORD, SentenceSource, rate_codewords
from semcom.families.sentence_code import SentenceCode
from semcom.nn.block_code import block_code
from semcom.points import EqualizerMethod
from semcom.used_symbols import Used
from semcom.vocabulary import PAD

Symbols = npt.NDArray[np.complex64]
Reals = npt.NDArray[np.float32]


class SentenceReceiver:
    """The receiving half of one link."""

    def __init__(self, source: SentenceSource, code: SentenceCode, *, longest: int) -> None:
        self._source = source
        self._code = code
        self._longest = longest
        self._rates_RS = rate_codewords()

    def decode(
        self,
        received_NK: Symbols,
        csi_NM: Symbols | None,
        *,
        snr_db_N: Reals,
        equalizer: EqualizerMethod,
        used_N: Used | None = None,
    ) -> Reals:
        """Decode one forward pass: complex64 (N, K) -> token ids float32 (N, longest), then PAD.

        `used_N`: number of symbols sent for each codeword, as a preamble would state; None: all.
        """
        del equalizer
        count = len(received_NK)
        if used_N is None:
            used_N = np.full(count, self._source.symbols, np.uint16)
        ids_NL = np.full((count, self._longest), PAD, np.float32)
        for at in range(count):
            words = int(used_N[at]) // SYMBOLS_PER_WORD - 1
            if words < 1:
                continue  # nothing was sent
            csi_M = None if csi_NM is None else csi_NM[at]
            got = equalized(received_NK[at], csi_M, snr_db=float(snr_db_N[at]))
            ids = self._sentence(got, words)
            ids_NL[at, : len(ids)] = ids
        return ids_NL

    def _sentence(self, got: Equalized, words: int) -> list[int]:
        symbols, noise = got
        end = SYMBOLS_PER_WORD * (words + 1)
        # Likelihoods of the rates; symbols are weighted by the inverse of their noise.
        head = symbols[:SYMBOLS_PER_WORD] / noise[:SYMBOLS_PER_WORD]
        rate = int((self._rates_RS.conj() @ head).real.argmax())
        source = self._source
        k, n = source.block_bits(words, rate), source.coded_bits(words)
        code = block_code(k, n, source.bits_per_symbol)
        decoded = code.decode(symbols[SYMBOLS_PER_WORD:end], noise[SYMBOLS_PER_WORD:end])
        return self._code.decode(decoded.bits, words)
