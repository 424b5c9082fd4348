"""Ten outlines as signed distances: negative inside, 0 on the outline, positive outside.

Each function takes coordinates x, y (float32, any common shape; y points up) in which the
outline about fills the unit circle, and returns the distance in the same unit. It is exact near
straight edges and round arcs and grows with slope 1 across the outline, which is enough for
anti-aliasing; far from the outline it may be too small.

Only +, -, *, /, sqrt, abs, min and max are used: IEEE 754 defines every bit of their results, so an
outline is the same on every machine. This excludes sin, cos and atan2 on pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

# float32 throughout; numpy's types cannot follow that through `array * 0.5`.
FloatArray = npt.NDArray[np.floating[Any]]
Outline = Callable[[FloatArray, FloatArray], FloatArray]


def disc(x: FloatArray, y: FloatArray) -> FloatArray:
    """A full circle."""
    return _length(x, y) - 0.85


def square(x: FloatArray, y: FloatArray) -> FloatArray:
    """A square with sharp corners."""
    return _both(np.abs(x), np.abs(y)) - 0.74


def triangle(x: FloatArray, y: FloatArray) -> FloatArray:
    """An equilateral triangle that stands on a side."""
    sides = 0.8660254 * np.abs(x) + 0.5 * y
    return _both(sides, -y) - 0.5


def star(x: FloatArray, y: FloatArray) -> FloatArray:
    """A star of five points, tip up: folded onto one half point, then one line."""
    x = np.abs(x)
    for normal_x, normal_y in ((0.809017, -0.587785), (-0.809017, -0.587785)):
        beyond = 2 * np.maximum(normal_x * x + normal_y * y, 0)
        x, y = x - beyond * normal_x, y - beyond * normal_y
    # From the tip (0, 1) to the notch at 36 degrees on the radius 0.45.
    edge_x, edge_y = 0.264503, -0.635942
    across: FloatArray = (np.abs(x) * -edge_y + (y - 1) * edge_x) * 1.451893
    return across


def cross(x: FloatArray, y: FloatArray) -> FloatArray:
    """A plus sign."""
    x, y = np.abs(x), np.abs(y)
    return _both(np.minimum(x, y) - 0.3, np.maximum(x, y) - 0.92)


def ring(x: FloatArray, y: FloatArray) -> FloatArray:
    """A circle with a wide hole."""
    from_rim: FloatArray = np.abs(_length(x, y) - 0.68)
    return from_rim - 0.26


def crescent(x: FloatArray, y: FloatArray) -> FloatArray:
    """A disc with a disc bitten from its right."""
    return _both(_length(x - 0.1, y) - 0.95, 0.72 - _length(x - 0.52, y))


def heart(x: FloatArray, y: FloatArray) -> FloatArray:
    """A square on its corner with a disc on each of its upper sides."""
    x, y = np.abs(x), y + 0.05
    corner = (x + np.abs(y) - 0.76) * 0.707107
    return _either(corner, _length(x - 0.38, y - 0.38) - 0.537401)


def arrow(x: FloatArray, y: FloatArray) -> FloatArray:
    """An arrow that points up."""
    x = np.abs(x)
    head = _both(0.05 - y, (0.9 * x + 0.76 * (y - 0.95)) * 0.848922)
    shaft = _both(x - 0.25, np.abs(y + 0.4) - 0.5)
    return _either(head, shaft)


def pill(x: FloatArray, y: FloatArray) -> FloatArray:
    """A bar with round ends."""
    return _length(x, np.maximum(np.abs(y) - 0.56, 0)) - 0.38


OUTLINES: dict[str, Outline] = {
    "disc": disc,
    "square": square,
    "triangle": triangle,
    "star": star,
    "cross": cross,
    "ring": ring,
    "crescent": crescent,
    "heart": heart,
    "arrow": arrow,
    "pill": pill,
}


def _length(x: FloatArray, y: FloatArray) -> FloatArray:
    length: FloatArray = np.sqrt(x * x + y * y)
    return length


def _both(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return the outline of the intersection."""
    overlap: FloatArray = np.maximum(one, other)
    return overlap


def _either(one: FloatArray, other: FloatArray) -> FloatArray:
    """Return the outline of the union."""
    union: FloatArray = np.minimum(one, other)
    return union
