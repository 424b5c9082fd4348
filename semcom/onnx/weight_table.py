"""The arrays of a codec without torch, for the graph that is built of them: each is taken once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from semcom.codec_arrays import Arrays

Array = npt.NDArray[np.float64]


class WeightTable:
    """Arrays that `semcom.codec_arrays.check_arrays` has found good."""

    def __init__(self, arrays: Arrays) -> None:
        self._left = dict(arrays)

    def take(self, name: str, *shape: int) -> Array:
        """The float32 values that torch would compute with, in float64 for folding."""
        array = self._left.pop(name)
        assert array.shape == shape, f"{name} has shape {array.shape}, not {shape}"
        return array.astype(np.float32).astype(np.float64)

    def linear(self, name: str, *, inputs: int, outputs: int) -> tuple[Array, Array]:
        """Matrix (outputs, inputs) and bias (outputs,) of torch's `nn.Linear` of that name."""
        return self.take(f"{name}.weight", outputs, inputs), self.take(f"{name}.bias", outputs)

    def skip(self, name: str) -> None:
        """Take what only training needs: the count of a batch norm."""
        del self._left[name]

    def finish(self) -> None:
        """See that every array has its place in the graph."""
        assert not self._left, f"{sorted(self._left)} are in no graph"
