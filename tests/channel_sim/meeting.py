"""A group of links whose frames meet, and the frames of a slot."""

from __future__ import annotations

from typing import Any

import numpy as np

from channel_sim.slots import Held, Slots
from semcom.frame_messages import FrameKey, SymbolFrame
from semcom.groups import Group
from semcom.wire import Symbols

CODEC = "ab" * 32
LINKS = ["a", "b", "c"]


def group_of(*links: str, name: str = "cell", window: int = 2, **options: Any) -> Group:
    """A group of links of equal power."""
    names = sorted(links or LINKS[:2])
    powers = options.pop("powers", [1.0 / len(names)] * len(names))
    return Group(name=name, links=names, powers=powers, window=window, **options)


def symbols_of(link: str, frame: int, *, images: int = 2, symbols: int = 3) -> Symbols:
    """Codewords of mean power 1 that differ from frame to frame and from link to link."""
    phases = np.arange(images * symbols) + 10.0 * frame + ord(link[0])
    codewords: Symbols = np.exp(1j * phases).astype(np.complex64).reshape(images, symbols)
    return codewords


def held_of(
    link: str, frame: int = 0, *, point: int = 0, at_s: float = 0.0, run: str = "demo", **other: Any
) -> Held:
    """A frame of a member, as it comes up."""
    payload = other.pop("payload", symbols_of(link, frame))
    fields = {"first_image": 2 * frame, "codec": CODEC, **other}
    message = SymbolFrame(
        key=FrameKey(run=run, point=point, link=link, frame=frame),
        images=payload.shape[0],
        symbols=payload.shape[1],
        **fields,
    )
    return Held(f"tx-{link}".encode(), message, payload, at_s)


def complete(slots: Slots, frame: int, *, at_s: float = 0.0) -> None:
    """All members send a frame."""
    *early, last = slots.group.links
    for link in early:
        assert slots.take(held_of(link, frame, at_s=at_s)) is None
    assert slots.take(held_of(last, frame, at_s=at_s)) is not None
