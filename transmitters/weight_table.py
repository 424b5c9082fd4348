"""The arrays of a codec without torch: each taken once, under its name and in its shape."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from semcom.checkpoints import Arrays
from semcom.errors import CheckpointError

Array = npt.NDArray[np.float64]
FLOATING = (np.float16, np.float32, np.float64)


class WeightTable:
    """What `load_arrays` is to torch: names and shapes must fit exactly, and all must be used."""

    def __init__(self, arrays: Arrays) -> None:
        self._left = dict(arrays)

    def take(self, name: str, *shape: int) -> Array:
        """The float32 values that torch would compute with, in float64 for folding.

        Raises:
            CheckpointError: missing, of another shape or type, or beyond float32.
        """
        array = self._pop(name)
        if array.shape != shape:
            raise CheckpointError(
                f"weights do not fit the codec: {name} has shape {array.shape}, not {shape}"
            )
        if array.dtype not in FLOATING:
            raise CheckpointError(f"weights do not fit the codec: {name} is {array.dtype}")
        with np.errstate(over="ignore"):  # seen by the next line
            single = array.astype(np.float32)
        if not np.isfinite(single).all():
            raise CheckpointError(f"weights do not fit the codec: {name} does not fit float32")
        return single.astype(np.float64)

    def linear(self, name: str, *, inputs: int, outputs: int) -> tuple[Array, Array]:
        """Matrix (outputs, inputs) and bias (outputs,) of torch's `nn.Linear` of that name.

        Raises:
            CheckpointError: as `take`.
        """
        return self.take(f"{name}.weight", outputs, inputs), self.take(f"{name}.bias", outputs)

    def skip(self, name: str) -> None:
        """Take what only training needs: the count of a batch norm.

        Raises:
            CheckpointError: missing, or no count.
        """
        array = self._pop(name)
        if array.shape != () or array.dtype != np.int64:
            raise CheckpointError(
                f"weights do not fit the codec: {name} is {array.dtype} of shape {array.shape}"
            )

    def finish(self) -> None:
        """See that nothing is left over.

        Raises:
            CheckpointError: a name that belongs to no part of the codec.
        """
        for name in sorted(self._left):
            raise CheckpointError(f"weights '{name}' belong to no part of this codec")

    def _pop(self, name: str) -> npt.NDArray[np.generic]:
        if name not in self._left:
            raise CheckpointError(f"weights do not fit the codec: {name} is missing")
        return self._left.pop(name)
