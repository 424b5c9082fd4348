"""The word for the items of a data set or a task: all messages take it from here."""

from __future__ import annotations

from typing import Literal

ItemWord = Literal["images", "sentences"]


def item_word(*, sentences: bool) -> ItemWord:
    """Return what items are called; where both kinds occur together, they are `items`."""
    return "sentences" if sentences else "images"
