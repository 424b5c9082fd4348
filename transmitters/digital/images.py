"""Send images as files of an image format with a channel code and QAM.

    image uint8 (H, W, 3) -> file that fits the block of the SNR -> 5G NR LDPC -> QAM

If no quality fits, the block contains only zero bytes.
Shape legend: N images of a frame, K complex symbols of a codeword.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from semcom.errors import CheckpointError
from semcom.families.digital import ImageSource
from semcom.families.image_formats import check_format, compress_to_fit
from semcom.nn.block_code import block_code

Symbols = npt.NDArray[np.complex64]


class ImageTransmitter:
    """The transmitting half of one link."""

    def __init__(self, source: ImageSource, item: tuple[int, int, int]) -> None:
        check_format(source.kind)
        self._source = source
        self._item = item

    def encode(self, items: npt.NDArray[Any], *, snr_db: float) -> Symbols:
        """Encode one frame: images uint8 (N, H, W, 3) -> complex64 (N, K), each of mean power 1.

        Raises:
            CheckpointError: the codec does not accept such images.
        """
        if items.shape[1:] != self._item or items.dtype != np.uint8:
            raise CheckpointError(
                f"the codec takes images {self._item}, not {items.dtype} {items.shape[1:]}"
            )
        mode = self._source.mode_at(snr_db)
        coded = mode.bits_per_symbol * self._source.symbols
        code = block_code(8 * mode.block_bytes, coded, mode.bits_per_symbol)
        symbols_NK = np.empty((len(items), self._source.symbols), np.complex64)
        for row, image in zip(symbols_NK, items, strict=True):
            content = compress_to_fit(image, self._source.kind, mode.block_bytes) or b""
            block = np.frombuffer(content.ljust(mode.block_bytes, b"\0"), np.uint8)
            sent = code.encode(np.unpackbits(block))
            row[:] = sent / np.sqrt(np.square(np.abs(sent)).mean(dtype=np.float64))
        return symbols_NK
