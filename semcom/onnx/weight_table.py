"""The arrays of a codec without torch, for building a graph; each is taken once."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from semcom.codec_arrays import Arrays

Array = npt.NDArray[np.float64]


class WeightTable:
    """Arrays that `semcom.codec_arrays.check_arrays` has accepted."""

    def __init__(self, arrays: Arrays) -> None:
        self._left = dict(arrays)

    def take(self, name: str, *shape: int) -> Array:
        """Return the float32 values with which torch would compute, in float64 for folding."""
        array = self._left.pop(name)
        assert array.shape == shape, f"{name} has shape {array.shape}, not {shape}"
        return array.astype(np.float32).astype(np.float64)

    def linear(self, name: str, *, inputs: int, outputs: int) -> tuple[Array, Array]:
        """Return matrix (outputs, inputs) and bias (outputs,) of the `nn.Linear` of that name."""
        return self.take(f"{name}.weight", outputs, inputs), self.take(f"{name}.bias", outputs)

    def skip(self, name: str) -> None:
        """Skip what only training needs: the count of a batch norm."""
        del self._left[name]

    def finish(self) -> None:
        """Check that every array is used in the graph."""
        assert not self._left, f"{sorted(self._left)} are not used in the graph"
