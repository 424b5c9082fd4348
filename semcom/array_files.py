"""Arrays as files of numpy: written whole or not at all, and mapped into memory."""

from __future__ import annotations

import os
import secrets
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from numpy.lib import format as numpy_format

from semcom.files import open_regular

HEADER_READERS = {
    (1, 0): numpy_format.read_array_header_1_0,
    (2, 0): numpy_format.read_array_header_2_0,
}


def map_array(path: Path) -> Any:
    """Map an array of a regular file: numpy's own function would wait for a FIFO.

    Raises:
        OSError: missing, not readable, or no regular file.
        ValueError: not numpy's format, or shorter than it says.
    """
    with os.fdopen(open_regular(path), "rb") as file:
        version = numpy_format.read_magic(file)
        read = HEADER_READERS.get(version)
        if read is None:
            raise ValueError(f"{path.name} is of numpy's format {version}")
        shape, is_fortran, dtype = read(file)
        if dtype.hasobject:
            raise ValueError(f"{path.name} holds {dtype}")
        order: Literal["F", "C"] = "F" if is_fortran else "C"
        return np.memmap(file, dtype, "r", offset=file.tell(), shape=shape, order=order)


def save_array(path: Path, array: npt.NDArray[np.generic]) -> None:
    """Write an array, whole or not at all."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    try:
        with temporary.open("wb") as file:
            np.save(file, array, allow_pickle=False)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
