"""Turns of a stream through its data set: each has channel draws of its own. Pure."""

from __future__ import annotations

MAX_INDEX = 2**31  # of an item in the keys of draws


def turn_of(frame: int, *, frames: int, images: int) -> tuple[int, int]:
    """Return in which turn a frame is sent, and which frame of the data set it is.

    Args:
        frame: number in the stream.
        frames: that the data set comes to.
        images: of the data set; turns are counted as far as their items can be numbered.
    """
    turn, of_set = divmod(frame, frames)
    return turn % max(1, MAX_INDEX // images), of_set
