"""5G NR LDPC codes with QAM from Sionna: bits of a block <-> complex symbols.

    k bits -> scrambled -> LDPC5GEncoder -> n coded bits -> QAM -> n / m symbols
    n / m symbols and their N0 -> LLRs -> LDPC5GDecoder, 20 iterations -> k bits

Bits are scrambled, as in 5G NR, so the power of a block hardly depends on its content.

Blocks are encoded and decoded one by one on the CPU, so the result for a block depends only on its
own symbols. Sionna is imported when the first code is built.

Shape legend: k bits of a block, n coded bits, m bits of a symbol, S symbols.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from semcom.extras import needed_by

ITERATIONS = 20
SCRAMBLING = b"rkd-sc digital"  # seed of the scrambling sequence
Bits = npt.NDArray[np.uint8]
Symbols = npt.NDArray[np.complex64]


class DecodedBlock(NamedTuple):
    """The bits of a block; `valid`: all parity checks hold."""

    bits: Bits
    valid: bool


class BlockCode:
    """The code of k bits in n coded bits, with m per symbol of a QAM of unit power."""

    def __init__(self, k: int, n: int, bits_per_symbol: int) -> None:
        """Build encoder and decoder.

        Raises:
            ConfigurationError: Sionna is not installed.
            ValueError: 5G NR has no such code.
        """
        with needed_by("a codec of the family digital", "digital"):
            from sionna.phy.fec.ldpc import LDPC5GDecoder, LDPC5GEncoder  # noqa: PLC0415 - heavy
            from sionna.phy.mapping import Constellation, Demapper, Mapper  # noqa: PLC0415
        self.symbols = n // bits_per_symbol
        cpu: dict[str, Any] = {"device": "cpu"}
        points = Constellation("qam", bits_per_symbol, **cpu)
        self._mapper = Mapper(constellation=points, **cpu)
        self._demapper = Demapper("app", constellation=points, **cpu)
        self._encoder = LDPC5GEncoder(k, n, num_bits_per_symbol=bits_per_symbol, **cpu)
        self._decoder = LDPC5GDecoder(
            self._encoder, num_iter=ITERATIONS, v2c_callbacks=[self._keep], **cpu
        )
        self._estimate = torch.zeros(0)
        self._lock = Lock()  # a codec may be loaded while another decodes
        drawn = hashlib.shake_256(SCRAMBLING).digest(-(-k // 8))
        self._mask = np.unpackbits(np.frombuffer(drawn, np.uint8))[:k]

    def _keep(self, messages: Tensor, iteration: int, estimate: Tensor) -> Tensor:
        del iteration
        self._estimate = estimate  # of all nodes, including those that were not sent
        return messages

    def encode(self, bits: Bits) -> Symbols:
        """Return the symbols of a block: uint8 (k,) -> complex64 (S,), of unit power on average."""
        with self._lock, torch.inference_mode():
            coded = self._encoder(torch.from_numpy((bits ^ self._mask).astype(np.float32))[None])
            symbols: Symbols = self._mapper(coded)[0].numpy()
        return symbols

    def decode(self, equalized: Symbols, noise: npt.NDArray[np.float32]) -> DecodedBlock:
        """Return the bits of a block.

        Args:
            equalized: complex64 (S,), without fading.
            noise: float32 (S,), the noise power of each symbol after equalisation.
        """
        with self._lock, torch.inference_mode():
            # Not a view: numpy's arrays may be read-only.
            y, n0 = (torch.from_numpy(np.array(each))[None] for each in (equalized, noise))
            bits = self._decoder(self._demapper(y, n0))[0].numpy().astype(np.uint8)
            decided = (self._estimate[0] <= 0).numpy().astype(np.int64)
        failed = np.asarray(self._decoder.pcm.astype(np.int64) @ decided) % 2
        return DecodedBlock(bits ^ self._mask, not failed.any())


@lru_cache(maxsize=1024)
def block_code(k: int, n: int, bits_per_symbol: int) -> BlockCode:
    """Return the code; recently used ones are cached."""
    return BlockCode(k, n, bits_per_symbol)
