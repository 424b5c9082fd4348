"""Recorded channel gains, played codeword by codeword.

The file is CSV with columns `re,im` (a header is allowed), or SigMF: `NAME.sigmf-meta` next to
`NAME.sigmf-data` of type cf32_le. Item i has gain i modulo the length of the trace. `unit_power`
scales the trace so that the mean of |h|^2 is 1, and the SNR that is set is the mean SNR.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
from functools import lru_cache
from pathlib import Path

import numpy as np
from pydantic import Field

from channel_sim.models.model import ChannelModel, Streams, multiplied
from channel_sim.noise import ComplexArray
from semcom.errors import ConfigurationError
from semcom.files import read_file

MAX_TRACE_BYTES = 64 << 20
META, DATA = ".sigmf-meta", ".sigmf-data"


class TraceChannel(ChannelModel):
    """One gain per codeword, from a file."""

    file: Path = Field(
        description="CSV file with lines re,im, or the .sigmf-meta file of a SigMF recording, on "
        "the host of the channel",
        json_schema_extra={"format": "file-path"},
    )
    sha256: str = Field(
        pattern="^[0-9a-f]{64}$",
        description="SHA-256 of the file that holds the gains; a different file is refused",
    )
    unit_power: bool = Field(default=True, description="scale the mean power to 1")

    def draw(self, streams: Streams, *, symbols: int) -> ComplexArray:
        """Take the gain of every codeword: complex64 (B, 1).

        Raises:
            ConfigurationError: the file is missing, a different one, or not a trace.
        """
        del symbols  # symbols share the codeword's gain
        gains = read_trace(self.file, self.sha256)
        if self.unit_power:
            gains = gains / np.float32(math.sqrt(float(np.mean(np.abs(gains) ** 2))))
        return gains[streams.numbers % len(gains), None].astype(np.complex64)

    def apply(self, symbols_BK: ComplexArray, state: ComplexArray) -> ComplexArray:
        """Multiply every codeword by its gain."""
        return multiplied(symbols_BK, state)

    def gains(self, state: ComplexArray) -> ComplexArray:
        """Return the gains (B, 1)."""
        return state


@lru_cache(maxsize=8)
def read_trace(file: Path, sha256: str) -> ComplexArray:
    """Read the gains of a trace: complex64 (N,).

    Raises:
        ConfigurationError: the file is missing, too large, a different one, or not a trace.
    """
    holds = file.with_suffix(DATA) if file.suffix == META else file
    try:
        content = read_file(holds, max_bytes=MAX_TRACE_BYTES)
    except OSError as error:
        raise ConfigurationError(f"trace {holds}: {error.strerror}") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise ConfigurationError(
            f"trace {holds}: its SHA-256 is {found}, not the one in the settings"
        )
    gains = _sigmf(file, content) if file.suffix == META else _csv(file, content)
    if not len(gains) or not np.isfinite(gains.view(np.float32)).all() or not gains.any():
        raise ConfigurationError(
            f"trace {file}: it contains no gains, only zeros, or a value that is not finite"
        )
    return gains


def _csv(file: Path, content: bytes) -> ComplexArray:
    gains: list[complex] = []
    try:
        rows = list(csv.reader(content.decode("utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ConfigurationError(f"trace {file}: is not CSV: {error}") from error
    for number, row in enumerate(rows, start=1):
        if not row or (number == 1 and [cell.strip().lower() for cell in row] == ["re", "im"]):
            continue
        try:
            re, im = map(float, row)
        except ValueError:
            raise ConfigurationError(
                f"trace {file}: row {number} must be two numbers, re,im; got {','.join(row)[:80]!r}"
            ) from None
        gains.append(complex(re, im))
    return np.array(gains, dtype=np.complex64)


def _sigmf(file: Path, content: bytes) -> ComplexArray:
    try:
        kind = json.loads(read_file(file, max_bytes=MAX_TRACE_BYTES))["global"]["core:datatype"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"trace {file}: is not SigMF metadata: {error}") from error
    if kind != "cf32_le" or len(content) % 8:
        raise ConfigurationError(
            f"trace {file}: core:datatype is {kind}, only cf32_le is supported"
        )
    return np.frombuffer(content, dtype="<c8").astype(np.complex64)
