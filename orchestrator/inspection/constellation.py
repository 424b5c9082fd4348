"""Constellations of a codeword: as SVG for pages, and in Braille dots for terminals. Pure.

Shape legend: K complex symbols.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Symbols = npt.NDArray[np.complex64]
MAX_DRAWN = 400  # largest number of symbols drawn; longer codewords are thinned
LINKED = 64  # up to this many symbols, lines connect sent and received symbols
# Bits of a Braille character, by row and column of its dots.
DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
BLANK = 0x2800


def reach_of(*codewords: Symbols) -> float:
    """Return the range of the axes in which all symbols are visible; at least slightly above 1."""
    parts = [np.abs(part) for each in codewords for part in (each.real, each.imag)]
    finite = [part[np.isfinite(part)] for part in parts]
    return 1.06 * max([1.0, *(float(part.max()) for part in finite if part.size)])


def thinned(symbols_K: Symbols) -> Symbols:
    """Return the symbols to draw: all, or every n-th of a long codeword."""
    return symbols_K[:: -(-len(symbols_K) // MAX_DRAWN) or 1]


def svg(sent_K: Symbols, arrived_K: Symbols, *, title: str) -> str:
    """Return sent symbols as rings and received ones as dots, with axes and |z| = 1."""
    reach = reach_of(sent_K, arrived_K)
    sent, arrived = (_places(thinned(each), reach) for each in (sent_K, arrived_K))
    lines = ""
    if len(sent_K) <= LINKED and len(sent) == len(arrived):
        pairs = "".join(f"M{a}L{b}" for a, b in zip(sent, arrived, strict=True))
        lines = f'<path class="err" d="{pairs}"/>'
    rings = "".join(f'<circle cx="{x}" cy="{y}" r="2"/>' for x, y in map(str.split, sent))
    dots = "".join(f"M{each}h0" for each in arrived)
    return (
        f'<svg class="iq" viewBox="-50 -50 100 100" role="img"><title>{title}</title>'
        f'<path class="axis" d="M-50 0H50M0-50V50"/><circle class="axis" r="{50 / reach:.1f}"/>'
        f'{lines}<g class="sent">{rings}</g><path class="got" d="{dots}"/></svg>'
    )


def braille(symbols_K: Symbols, reach: float, *, columns: int = 22) -> list[str]:
    """Return a square constellation in lines of Braille characters, with its axes."""
    rows = columns // 2
    width, height = 2 * columns, 4 * rows
    grid = np.zeros((height, width), dtype=bool)
    grid[height // 2, ::4] = grid[::4, width // 2] = True
    good = symbols_K[np.isfinite(symbols_K)].astype(np.complex128)
    across = np.clip((good.real / reach + 1) / 2 * (width - 1), 0, width - 1).round().astype(int)
    down = np.clip((1 - good.imag / reach) / 2 * (height - 1), 0, height - 1).round().astype(int)
    for row_shift in (0, 1):  # a symbol is a square of dots, an axis single ones
        for column_shift in (0, 1):
            grid[
                np.minimum(down + row_shift, height - 1),
                np.minimum(across + column_shift, width - 1),
            ] = True
    bits = np.array(DOTS)
    blocks = grid.reshape(rows, 4, columns, 2)
    letters = BLANK + (blocks * bits[None, :, None, :]).sum(axis=(1, 3))
    return ["".join(map(chr, row)) for row in letters.tolist()]


def _places(symbols_K: Symbols, reach: float) -> list[str]:
    """Return the positions of finite symbols in the picture."""
    good = symbols_K[np.isfinite(symbols_K)]
    return [f"{50 * z.real / reach:.1f} {-50 * z.imag / reach:.1f}" for z in good.tolist()]
