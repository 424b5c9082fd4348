"""Distinguishable colours: different grey levels, with a tint."""

from __future__ import annotations

import numpy as np

from orchestrator.datasets.dice import Doubles
from orchestrator.datasets.shapes import FloatArray

# Hue of each colour family, in turns.
FAMILIES: dict[str, float] = {"red": 0.0, "yellow": 1 / 6, "green": 1 / 3, "blue": 2 / 3}


def tint(hue_N: Doubles) -> Doubles:
    """The pure colour of each hue less its mean: (N, 3), each row sums to 0. hue_N in turns."""
    offsets_3 = np.array([0.0, 1 / 3, 2 / 3])
    turns_N3 = hue_N[:, None] - offsets_3
    distance_N3 = np.abs(turns_N3 - np.floor(turns_N3 + 0.5))
    pure_N3 = np.clip(2.0 - 6.0 * distance_N3, 0.0, 1.0)
    tint_N3: Doubles = pure_N3 - (pure_N3[:, :1] + pure_N3[:, 1:2] + pure_N3[:, 2:]) / 3
    return tint_N3


def colour(level_N: Doubles, chroma_N: Doubles, hue_N: Doubles) -> FloatArray:
    """RGB of 0 to 1, (N, 3): a grey of the level given, tinted. chroma_N from 0 (grey) to 1."""
    rgb_N3 = level_N[:, None] + chroma_N[:, None] * tint(hue_N)
    return np.clip(rgb_N3, 0.0, 1.0).astype(np.float32)


def three_levels(order_N: Doubles, spread: float, jitter_N3: Doubles) -> Doubles:
    """Three grey levels per image, apart by `spread` but for the jitter, in random order: (N, 3).

    order_N: uniform on 0 to 1, chooses one of the six orders.
    """
    orders = np.array([[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]) - 1
    steps_N3 = orders[(order_N * 6).astype(np.int64)]
    levels_N3: Doubles = 0.5 + spread * steps_N3 + jitter_N3
    return levels_N3
