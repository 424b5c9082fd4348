"""Ten surface patterns: for every pixel how much of the second colour shows, from 0 to 1.

A pattern is computed from pixel distances, so that its edges are anti-aliased over one pixel; as in
`shapes`, only operations are used for which IEEE 754 defines every bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator.datasets.shapes import FloatArray


@dataclass(frozen=True)
class Surface:
    """Points at which a pattern is evaluated, for N images at once.

    along_NHW, across_NHW: pixels from the shape's centre, along the pattern's own two axes;
    depth_NHW: pixels inside the outline (negative outside); period_N11: pattern period in pixels;
    phase_N11: shift in periods, 0 to 1; grain_NHW: white noise in coarse cells, 0 to 1.
    """

    along_NHW: FloatArray
    across_NHW: FloatArray
    depth_NHW: FloatArray
    period_N11: FloatArray
    phase_N11: FloatArray
    grain_NHW: FloatArray

    def of(self, index_M: npt.NDArray[np.intp]) -> Surface:
        """The surfaces of some of the images."""
        return Surface(
            self.along_NHW[index_M],
            self.across_NHW[index_M],
            self.depth_NHW[index_M],
            self.period_N11[index_M],
            self.phase_N11[index_M],
            self.grain_NHW[index_M],
        )


Pattern = Callable[[Surface], FloatArray]


def plain(surface: Surface) -> FloatArray:
    """The first colour alone."""
    return np.zeros_like(surface.along_NHW)


def striped(surface: Surface) -> FloatArray:
    """Straight parallel bands."""
    return _edge(_bands(surface, surface.along_NHW)) + 0.5


def checked(surface: Surface) -> FloatArray:
    """A chessboard."""
    one = _edge(_bands(surface, surface.along_NHW))
    other = _edge(_bands(surface, surface.across_NHW))
    return 2 * one * other + 0.5


def dotted(surface: Surface) -> FloatArray:
    """Round dots on a square grid."""
    x, y = _cell(surface, surface.along_NHW), _cell(surface, surface.across_NHW)
    return _edge((0.3 - np.sqrt(x * x + y * y)) * surface.period_N11) + 0.5


def ringed(surface: Surface) -> FloatArray:
    """Circles around the centre."""
    x, y = surface.along_NHW, surface.across_NHW
    return _edge(_bands(surface, np.sqrt(x * x + y * y))) + 0.5


def framed(surface: Surface) -> FloatArray:
    """A border in the second colour along the outline."""
    return _edge(surface.period_N11 * 0.36 - surface.depth_NHW) + 0.5


def halved(surface: Surface) -> FloatArray:
    """Two halves that meet in a line through the centre."""
    return _edge(surface.along_NHW) + 0.5


def speckled(surface: Surface) -> FloatArray:
    """Coarse grains strewn at random."""
    return (surface.grain_NHW > 0.55).astype(np.float32)


def zigzag(surface: Surface) -> FloatArray:
    """Bands that turn left and right."""
    swing = np.abs(_cell(surface, surface.across_NHW * 0.6)) * surface.period_N11
    return _edge(_bands(surface, surface.along_NHW + 1.7 * swing)) + 0.5


def rayed(surface: Surface) -> FloatArray:
    """Six sectors around the centre, like a beach ball."""
    x, y = surface.along_NHW, surface.across_NHW
    rays = _edge(x) * _edge(0.5 * x + 0.8660254 * y) * _edge(0.8660254 * y - 0.5 * x)
    return 4 * rays + 0.5


PATTERNS: dict[str, Pattern] = {
    "plain": plain,
    "striped": striped,
    "checked": checked,
    "dotted": dotted,
    "ringed": ringed,
    "framed": framed,
    "halved": halved,
    "speckled": speckled,
    "zigzag": zigzag,
    "rayed": rayed,
}


def pattern(kind_N: npt.NDArray[np.int64], surface: Surface) -> FloatArray:
    """Share of the second colour for each image's kind (an index into PATTERNS): (N, H, W)."""
    share_NHW = np.zeros_like(surface.along_NHW)
    for kind, paint in enumerate(PATTERNS.values()):
        index_M = np.flatnonzero(kind_N == kind)
        if kind and len(index_M):  # kind 0 is plain
            share_NHW[index_M] = paint(surface.of(index_M))
    return share_NHW


def _edge(distance: FloatArray) -> FloatArray:
    """A step of -0.5 to 0.5 over one pixel of signed distance."""
    return np.clip(distance, np.float32(-0.5), np.float32(0.5))


def _cell(surface: Surface, distance: FloatArray) -> FloatArray:
    """Position in the period, -0.5 to 0.5."""
    turns = distance / surface.period_N11 + surface.phase_N11
    return turns - np.floor(turns) - np.float32(0.5)


def _bands(surface: Surface, distance: FloatArray) -> FloatArray:
    """Pixels to the nearest edge of bands half a period wide; the sign tells the band."""
    return (np.abs(_cell(surface, distance)) - np.float32(0.25)) * surface.period_N11
