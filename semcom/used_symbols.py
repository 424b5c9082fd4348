"""Codewords of several lengths in one frame: the number of symbols sent for each row.

Every row of a frame has K symbols. If a codec's items need fewer, `used` says how many symbols of a
row are sent, as a preamble would. The remaining ones are exactly 0, and the channel leaves them
unchanged.

On the wire `used` is a u16 per row, little-endian; empty if all rows use all K symbols.

Shape legend: B codewords, K complex symbols of a row.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from semcom.errors import ProtocolError

Symbols = npt.NDArray[np.complex64]
Used = npt.NDArray[np.uint16]  # (B,)
Mask = npt.NDArray[np.bool_]


def format_used(used_B: Used, symbols: int) -> bytes:
    """Return the `used` of a frame."""
    return b"" if (used_B == symbols).all() else used_B.astype("<u2").tobytes()


def parse_used(used: bytes, *, rows: int, symbols: int) -> Used:
    """Return how many symbols of each row a checked frame uses."""
    if not used:
        return all_used(rows, symbols)
    return np.frombuffer(used, dtype="<u2").astype(np.uint16)


def all_used(rows: int, symbols: int) -> Used:
    """Return the counts of rows that use all symbols."""
    return np.full(rows, symbols, dtype=np.uint16)


def used_mask(used_B: Used, symbols: int) -> Mask:
    """Return which symbols are used, bool (B, K)."""
    mask: Mask = np.arange(symbols) < used_B[:, None]
    return mask


def check_used(used: bytes, symbols_BK: Symbols) -> None:
    """Refuse an invalid `used`, or symbols that are sent beyond it.

    Raises:
        ProtocolError: `shape`.
    """
    if not used:
        return
    rows, symbols = symbols_BK.shape
    if len(used) != 2 * rows:
        raise ProtocolError("shape", f"used: {len(used)} bytes for {rows} codewords, 2 for each")
    used_B = parse_used(used, rows=rows, symbols=symbols)
    if (highest := int(used_B.max())) > symbols:
        raise ProtocolError("shape", f"used: {highest} symbols of a codeword, which has {symbols}")
    if symbols_BK[~used_mask(used_B, symbols)].any():
        raise ProtocolError("shape", "a codeword has symbols after those that it uses")
