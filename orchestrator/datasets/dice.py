"""Random numbers of the synthetic sets: image by image, and identical on every machine.

All are raw 64-bit outputs of Philox streams. Image i depends only on the streams' key and on i, not
on how many images are drawn before or after it in one call.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]


class Streams:
    """The random streams of one split of one set."""

    def __init__(self, *key: object) -> None:
        self._key = "/".join(str(part) for part in key)
        self._streams: dict[str, np.random.Philox] = {}

    def _raw(self, purpose: str, words: int) -> npt.NDArray[np.uint64]:
        if purpose not in self._streams:
            seed = hashlib.sha256(f"{self._key}/{purpose}".encode()).digest()[:16]
            self._streams[purpose] = np.random.Philox(key=int.from_bytes(seed, "little"))
        return self._streams[purpose].random_raw(words)

    def uniform(self, purpose: str, images: int, each: int) -> Doubles:
        """The next images' numbers on [0, 1): (images, each)."""
        raw = self._raw(purpose, images * each).reshape(images, each)
        return (raw >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def grain(self, purpose: str, images: int, size: int) -> npt.NDArray[np.uint8]:
        """The next images' white noise: uint8 (images, size, size); size is even."""
        words = (size * size + 7) // 8
        raw = self._raw(purpose, images * words).astype("<u8").view(np.uint8)
        return raw.reshape(images, -1)[:, : size * size].reshape(images, size, size)


class Dice:
    """Returns the columns of a table of uniform numbers, scaled."""

    def __init__(self, uniform_NP: Doubles) -> None:
        self._uniform_NP = uniform_NP
        self._next = 0

    def between(self, low: float, high: float) -> Doubles:
        """One number per image on [low, high)."""
        column_N = self._uniform_NP[:, self._next]
        self._next += 1
        return low + (high - low) * column_N

    def either_way(self, most: float) -> Doubles:
        """One number per image on [-most, most)."""
        return self.between(-most, most)
