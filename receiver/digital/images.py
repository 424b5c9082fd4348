"""Decode images that were sent as files with a channel code and QAM.

    z~ (N, K), CSI (N, M) -> z~ / h -> LLRs -> 5G NR LDPC -> file -> pixels

If a block fails or contains no file, the answer is the mean colour of the images from which the
codec was built. Every codeword is decoded separately. Shape legend: N images of a frame, K complex
symbols, M columns of channel state.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from receiver.digital.gains import equalized
from semcom.families.digital import ImageSource
from semcom.families.image_formats import check_format, decompress
from semcom.nn.block_code import block_code
from semcom.points import EqualizerMethod

Symbols = npt.NDArray[np.complex64]
Reals = npt.NDArray[np.float32]
PEAK = np.float32(255.0)


class ImageReceiver:
    """The receiving half of one link."""

    def __init__(
        self, source: ImageSource, item: tuple[int, int, int], mean: npt.NDArray[np.uint8]
    ) -> None:
        check_format(source.kind)
        self._source = source
        self._item = item
        self._mean = mean

    def decode(
        self,
        received_NK: Symbols,
        csi_NM: Symbols | None,
        *,
        snr_db_N: Reals,
        equalizer: EqualizerMethod,
    ) -> Reals:
        """Decode one forward pass: complex64 (N, K) -> pixels of 0..1, float32 (N, H, W, 3)."""
        del equalizer
        pixels_NHW3 = np.empty((len(received_NK), *self._item), np.float32)
        for at, received_K in enumerate(received_NK):
            csi_M = None if csi_NM is None else csi_NM[at]
            image = self._image(received_K, csi_M, float(snr_db_N[at]))
            pixels_NHW3[at] = (self._mean if image is None else image) / PEAK
        return pixels_NHW3

    def _image(
        self, received_K: Symbols, csi_M: Symbols | None, snr_db: float
    ) -> npt.NDArray[np.uint8] | None:
        mode = self._source.mode_at(snr_db)
        coded = mode.bits_per_symbol * self._source.symbols
        code = block_code(8 * mode.block_bytes, coded, mode.bits_per_symbol)
        got = equalized(received_K, csi_M, snr_db=snr_db)
        decoded = code.decode(got.symbols_K, got.noise_K)
        if not decoded.valid:
            return None
        content = np.packbits(decoded.bits).tobytes()
        return decompress(content, self._source.kind, self._item[:2])
