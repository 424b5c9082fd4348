"""Keys of single items, for receiving halves that draw random numbers.

An item's draw depends only on the run's seed, the link and the item's number: a repetition gives
the same answer in any batch, at any receiver and in any order.
"""

from __future__ import annotations

import hashlib
from typing import NamedTuple


class ItemKey(NamedTuple):
    """Key of item number `item` of a link, in runs with a seed."""

    seed: int
    link: str
    item: int

    def seed_for(self, purpose: str) -> int:
        """Return the seed of a generator, 0 to 2^64 - 1: BLAKE2b of the key and the purpose."""
        text = f"{self.seed}/{self.link}/{purpose}/{self.item}"
        digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "little")


def keys_of_frame(seed: int, link: str, *, first: int, count: int) -> list[ItemKey]:
    """Return the keys of a frame's items, which are consecutive from number `first` on."""
    return [ItemKey(seed, link, item) for item in range(first, first + count)]


def draws(half: object) -> bool:
    """Return whether a receiving half draws random numbers and takes the keys of its items."""
    return bool(getattr(half, "draws", False))
