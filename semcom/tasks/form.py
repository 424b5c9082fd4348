"""The form of an answer: type and shape of the answer to each item, and its bytes.

AnswerForm   every answer has one shape; the answers to a frame follow each other
RaggedForm   answers are rows of at most `longest` u16; lengths first, then the contents of the rows
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from semcom.errors import ProtocolError

MAX_DIMENSIONS = 4
MAX_SIDE = 8192
MAX_LONGEST = 4096
DTypeName = Literal["uint8", "uint16"]
U16 = np.dtype("<u2")


class AnswerForm(BaseModel):
    """`dtype` and `shape` of the answer to one item; bytes are little-endian, in C order."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dtype: DTypeName
    shape: tuple[Annotated[int, Field(ge=1, le=MAX_SIDE)], ...] = Field(max_length=MAX_DIMENSIONS)

    @property
    def item_bytes(self) -> int:
        """Bytes of the answer to one item."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def parse(self, answer: bytes, items: int) -> npt.NDArray[Any]:
        """Return the answers to `items` items as an array (items, *shape).

        Raises:
            ProtocolError: `shape`, if there are too few or too many bytes.
        """
        expected = items * self.item_bytes
        if len(answer) != expected:
            raise ProtocolError(
                "shape", f"an answer of {len(answer)} bytes to {items} items, expected {expected}"
            )
        dtype = np.dtype(self.dtype).newbyteorder("<")
        return np.frombuffer(answer, dtype=dtype).reshape(items, *self.shape)

    def format(self, answers: npt.NDArray[Any]) -> bytes:
        """Return answers (items, *shape) as bytes."""
        dtype = np.dtype(self.dtype).newbyteorder("<")
        return np.ascontiguousarray(answers, dtype=dtype).tobytes()

    def format_each(self, answers: npt.NDArray[Any], ends: Sequence[int]) -> list[bytes]:
        """Return the answers to several frames, whose last items are before `ends`, as `format`."""
        whole, size = self.format(answers), self.item_bytes
        starts = (0, *ends)[: len(ends)]
        return [whole[size * a : size * b] for a, b in zip(starts, ends, strict=True)]


class RaggedForm(BaseModel):
    """Rows of 0 to `longest` numbers from 1 to 65,535 each, with a length for each item.

    Bytes: a u16 per item, its length; then the numbers of all rows, one after the other, u16 each;
    all little-endian. In memory a row is padded with zeros, which no answer contains, so an answer
    has exactly one form in bytes and one in memory.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    longest: int = Field(ge=1, le=MAX_LONGEST)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of an item's row in memory."""
        return (self.longest,)

    @property
    def item_bytes(self) -> int:
        """Bytes of the longest answer to one item."""
        return (1 + self.longest) * U16.itemsize

    def parse(self, answer: bytes, items: int) -> npt.NDArray[Any]:
        """Return the answers to `items` items as an array (items, longest), padded with zeros.

        Raises:
            ProtocolError: `shape`, if bytes and lengths do not fit, or a row contains a zero.
        """
        if len(answer) % U16.itemsize or len(answer) < items * U16.itemsize:
            raise ProtocolError(
                "shape",
                f"an answer of {len(answer)} bytes does not contain the lengths of {items} items",
            )
        numbers = np.frombuffer(answer, dtype=U16)
        lengths_N, packed = numbers[:items].astype(np.int64), numbers[items:]
        highest = int(lengths_N.max(initial=0))
        if highest > self.longest:
            raise ProtocolError("shape", f"an answer of length {highest}, at most {self.longest}")
        if int(lengths_N.sum()) != len(packed):
            raise ProtocolError(
                "shape",
                f"an answer of {len(packed)} numbers, but its lengths add up to {lengths_N.sum()}",
            )
        if not packed.all():
            raise ProtocolError("shape", "an answer holds a zero")
        rows = np.zeros((items, self.longest), dtype=U16)
        rows[np.arange(self.longest) < lengths_N[:, None]] = packed
        return rows

    def format(self, answers: npt.NDArray[Any]) -> bytes:
        """Return answers (items, longest), padded with zeros, as bytes."""
        rows = np.asarray(answers, dtype=U16)
        there = rows != 0
        lengths_N = there.sum(axis=1)
        assert (there == (np.arange(self.longest) < lengths_N[:, None])).all()
        content: bytes = lengths_N.astype(U16).tobytes() + rows[there].tobytes()
        return content

    def format_each(self, answers: npt.NDArray[Any], ends: Sequence[int]) -> list[bytes]:
        """Return the answers to several frames, whose last items are before `ends`, as `format`."""
        starts = (0, *ends)[: len(ends)]
        return [self.format(answers[a:b]) for a, b in zip(starts, ends, strict=True)]


AnyForm = AnswerForm | RaggedForm
