"""Bicubic resizing with antialiasing as two products of matrices.

torch's `interpolate(mode="bicubic", antialias=True)` computes each row of the result as a
weighted sum of nearby rows of the image, and columns likewise. This module computes these weights,
from Keys' kernel.
"""

from __future__ import annotations

import numpy as np

from semcom.onnx.graph import Graph
from semcom.onnx.weight_table import Array, WeightTable

PIXELS = "pixels"
KEYS_A = -0.5  # of the antialiased kernel, as in Pillow
SUPPORT = 2.0  # pixels to both sides, at scale 1


def resize_weights(before: int, after: int) -> Array:
    """Return weights (after, before): a row has the input's weights for one output position."""
    # Scale and centres are rounded as in torch, which reduces the difference tenfold.
    scale = float(np.float32(before / after))
    stretch = max(scale, 1.0)  # downscaling averages over a larger neighbourhood
    weights = np.zeros((after, before))
    for place in range(after):
        centre = float(np.float32(scale * (place + 0.5)))
        first = max(int(centre - SUPPORT * stretch + 0.5), 0)
        end = min(int(centre + SUPPORT * stretch + 0.5), before)
        row = _keys((np.arange(first, end, dtype=np.float64) - centre + 0.5) / stretch)
        weights[place, first:end] = row / row.sum()
    return weights


def _keys(distance: Array) -> Array:
    """Return Keys' cubic convolution kernel (1981)."""
    x = np.abs(distance)
    near = ((KEYS_A + 2) * x - (KEYS_A + 3)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * KEYS_A
    return np.where(x < 1, near, np.where(x < SUPPORT, far, 0.0))


def build_resize(height: int, width: int, size: int) -> bytes:
    """Return a model (N, 3, height, width) -> (N, 3, size, size), clipped to 0..255."""
    graph = Graph(WeightTable({}))
    rows, columns = resize_weights(height, size), resize_weights(width, size)
    x = graph.add("MatMul", PIXELS, graph.constant(columns.T))
    x = graph.add("MatMul", graph.constant(rows), x)
    black, white = (graph.constant(np.array(value)) for value in (0.0, 255.0))
    x = graph.add("Clip", x, black, white)
    return graph.model({PIXELS: ["images", 3, height, width]}, {"resized": x})
