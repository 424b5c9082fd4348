"""Read a pickle that contains only maps and numpy arrays; no code in it is run."""

from __future__ import annotations

import io
import pickle
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from semcom.errors import ConfigurationError

# Functions in pickles of arrays, by their names in numpy 1 and numpy 2.
ADMITTED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}


class _ArrayUnpickler(pickle.Unpickler):
    """Resolves only the names of numpy arrays."""

    def find_class(self, module: str, name: str) -> Any:
        """Return what a pickle names.

        Raises:
            pickle.UnpicklingError: it is not part of an array.
        """
        if (module, name) not in ADMITTED:
            raise pickle.UnpicklingError(f"it names {module}.{name}, which is not part of an array")
        if name == "_reconstruct":
            return np._core.multiarray._reconstruct  # type: ignore[attr-defined]
        return getattr(np, name)


def read_arrays(content: bytes, *, where: str) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays in a pickle of nested maps, by their keys joined by dots.

    Raises:
        ConfigurationError: it contains anything else, or is damaged.
    """
    try:
        found = _ArrayUnpickler(io.BytesIO(content)).load()
        arrays = dict(_flat(found, ""))
    except Exception as error:  # a damaged pickle may raise anything
        raise ConfigurationError(f"{where} is no pickle of arrays: {error}") from error
    if any(each.dtype.hasobject for each in arrays.values()):
        raise ConfigurationError(f"{where} is no pickle of arrays: it holds other objects")
    return arrays


def _flat(found: Any, prefix: str) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    if isinstance(found, np.ndarray):
        yield prefix, found
        return
    if not isinstance(found, Mapping):
        raise TypeError(f"it holds a {type(found).__name__}")
    for key, value in found.items():
        yield from _flat(value, f"{prefix}.{key}" if prefix else str(key))
