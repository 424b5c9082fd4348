"""Turns of a stream through its data set, each with its own channel draws. Pure."""

from __future__ import annotations

MAX_INDEX = 2**31  # of an item in the keys of draws


def turn_of(frame: int, *, frames: int, images: int) -> tuple[int, int]:
    """Return the turn in which a frame is sent, and its index within the data set.

    Args:
        frame: number in the stream.
        frames: number of frames of the data set.
        images: number of items of the data set; turns are counted as far as items can be numbered.
    """
    turn, of_set = divmod(frame, frames)
    return turn % max(1, MAX_INDEX // images), of_set
