"""What the plain client makes of a frame: the channel taken out, and an answer of either task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tests.integration.plain_client import Message


@dataclass(frozen=True)
class Reception:
    """A frame as it came down."""

    message: Message
    state: np.ndarray | None
    symbols: np.ndarray

    @property
    def equalised(self) -> np.ndarray:
        """The symbols with the channel taken out, by the frame's own equaliser."""
        state = self.state
        if state is None:
            return self.symbols
        power = np.abs(state) ** 2
        if state.shape[1] not in (1, self.symbols.shape[1]):
            power = power.mean(axis=1, keepdims=True)
            state = np.sqrt(power)
        if self.message.fields["equalizer"] == "mmse":
            power = power + 10 ** (-self.message.fields["snr_db"] / 10)
        return self.symbols * state.conj() / power

    @property
    def bits(self) -> np.ndarray:
        """BPSK: the bit is 1 where the real part is negative."""
        return self.equalised.real < 0


def received(message: Message) -> Reception:
    """A ReceivedFrame taken apart."""
    fields = message.fields
    state = fields["csi_columns"]
    columns = fields["symbols"] + state
    table = np.frombuffer(message.payload, dtype="<c8").reshape(fields["images"], columns)
    if not state:
        return Reception(message, None, table)
    return Reception(message, table[:, :state], table[:, state:])


@dataclass(frozen=True)
class Task:
    """What is answered: so many bytes per image, made of what came down."""

    item_bytes: int
    answer: Callable[[Reception], bytes]


def ones(reception: Reception) -> bytes:
    """How many ones each image holds, as classes are sent: u16."""
    return reception.bits.sum(axis=1).astype("<u2").tobytes()


CLASSES = Task(2, ones)


def pictures(item_bytes: int) -> Task:
    """A picture per image, u8: its equalised reals, -1 to 1, repeated until there are enough."""

    def answer(reception: Reception) -> bytes:
        reals = np.ascontiguousarray(reception.equalised, dtype="<c8").view("<f4")
        pixels = np.rint(127.5 * (np.clip(reals, -1, 1) + 1)).astype(np.uint8)
        repeats = -(-item_bytes // pixels.shape[1])
        return np.tile(pixels, (1, repeats))[:, :item_bytes].tobytes()

    return Task(item_bytes, answer)
