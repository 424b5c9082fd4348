"""Position of shapes in their images, and the pixels that they cover."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from orchestrator.datasets.dice import Doubles
from orchestrator.datasets.shapes import OUTLINES, FloatArray

Kinds = npt.NDArray[np.int64]
# Rounded, because the last bit of a cosine may differ between C libraries.
_TURN = 4096
_COSINES = np.array([round(math.cos(2 * math.pi * k / _TURN), 6) for k in range(_TURN)])
_SINES = np.array([round(math.sin(2 * math.pi * k / _TURN), 6) for k in range(_TURN)])


def cosine_sine(turns_N: Doubles) -> tuple[Doubles, Doubles]:
    """Cosine and sine of angles in turns, to a 4096th of a turn and six digits."""
    step_N = (turns_N * _TURN).astype(np.int64) % _TURN
    return _COSINES[step_N], _SINES[step_N]


@dataclass(frozen=True)
class Pose:
    """Position of shapes: matrix_N22 takes pixel offsets from centre_N2 (x, y) to shape units."""

    centre_N2: Doubles
    radius_N: Doubles
    matrix_N22: Doubles

    @staticmethod
    def of(centre_N2: Doubles, radius_N: Doubles, turns_N: Doubles, aspect_N: Doubles) -> Pose:
        """From pixels, pixels, turns and width to height."""
        cos_N, sin_N = cosine_sine(turns_N)
        across_N, along_N = 1 / (radius_N * aspect_N), aspect_N / radius_N
        # Image rows count downwards and shapes are upright: the second row is negated.
        rows = [[cos_N * across_N, sin_N * across_N], [sin_N * along_N, -cos_N * along_N]]
        return Pose(centre_N2, radius_N, np.moveaxis(np.array(rows), 2, 0))

    def of_some(self, index_M: npt.NDArray[np.intp]) -> Pose:
        """The poses of some of the images."""
        return Pose(self.centre_N2[index_M], self.radius_N[index_M], self.matrix_N22[index_M])

    def offsets(self, size: int) -> tuple[FloatArray, FloatArray]:
        """Pixel offsets of the image's columns (N, 1, W) and rows (N, H, 1) from the centre."""
        pixels_S = np.arange(size, dtype=np.float64) + 0.5
        x_N1W = (pixels_S - self.centre_N2[:, :1])[:, None, :]
        y_NH1 = (pixels_S - self.centre_N2[:, 1:])[:, :, None]
        return x_N1W.astype(np.float32), y_NH1.astype(np.float32)


def depth_inside(kind_N: Kinds, pose: Pose, x_NhW: FloatArray, y_NHw: FloatArray) -> FloatArray:
    """Pixels inside the outline of each image's kind (an index into OUTLINES): (N, H, W)."""
    m = pose.matrix_N22.astype(np.float32)[:, :, :, None, None]
    u_NHW = m[:, 0, 0] * x_NhW + m[:, 0, 1] * y_NHw
    v_NHW = m[:, 1, 0] * x_NhW + m[:, 1, 1] * y_NHw
    depth_NHW = np.empty_like(u_NHW)
    scale_N11 = -pose.radius_N.astype(np.float32)[:, None, None]
    for kind, outline in enumerate(OUTLINES.values()):
        index_M = np.flatnonzero(kind_N == kind)
        if len(index_M):
            depth_NHW[index_M] = outline(u_NHW[index_M], v_NHW[index_M]) * scale_N11[index_M]
    return depth_NHW


def coverage(depth_NHW: FloatArray) -> FloatArray:
    """Return how much of each pixel a shape covers, 0 to 1."""
    share_NHW: FloatArray = np.clip(depth_NHW + np.float32(0.5), np.float32(0), np.float32(1))
    return share_NHW
