"""The form of an answer: type and shape of what is said of each item."""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

from semcom.errors import ProtocolError

MAX_DIMENSIONS = 4
MAX_SIDE = 8192
DTypeName = Literal["uint8", "uint16"]


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
            ProtocolError: `shape`, where the bytes are too few or too many.
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
