"""Engines that draw and compute what frames meet: numpy, or compiled kernels with the same bits.

The packages of the kernels are imported only if requested, because they need time and memory to
start.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from subprocess import Popen
from typing import Any, Protocol

import numpy as np

from channel_sim import noise
from channel_sim.channels import Codewords, Through, superpose_channels, through_channels
from channel_sim.noise import ComplexArray, Items
from semcom.children import start_with_log
from semcom.errors import ConfigurationError
from semcom.extras import needed_by
from semcom.fingerprint import EngineRounding
from semcom.points import ChannelSettings, PointSpec
from semcom.settings import NoiseEngine, NoiseEngineChoice
from semcom.telemetry import event
from semcom.wire import Powers, Symbols, mean_power

PROBE = [Items((2**64 - 1, 2**63 + 12345), 7, 40), Items((1, 2), 2**31 - 1, 1)]
PROBE_SAMPLES = 51  # per item; the last block of each is not used completely
COMPILED_BY = ("numba", "llvmlite")
logger = logging.getLogger("channel_sim.noise_engine")
beside: list[Popen[Any]] = []  # processes that compile; they end by themselves


class Engine(Protocol):
    """Draws the noise and the fading, applies both, and measures powers."""

    def normals(self, parts: Sequence[Items], *, per_item: int) -> ComplexArray:
        """Draw as `channel_sim.noise.complex_normals_of`."""

    def mean_power(self, symbols_BK: Symbols) -> Powers:
        """Return the mean power of codewords as `semcom.wire.mean_power`."""

    def through(
        self, frames: Sequence[Codewords], symbols_BK: ComplexArray, power_B: Powers
    ) -> Through:
        """Take frames through our channels as `channel_sim.channels.through_channels`."""

    def superposed(
        self,
        members: Sequence[Codewords],
        amplitudes: Sequence[float],
        symbols: Sequence[ComplexArray],
        *,
        noise_link: str,
    ) -> Through:
        """Superpose frames as `channel_sim.channels.superpose_channels`."""


class NumpyEngine:
    """The arithmetic of the channel by numpy, which defines every bit."""

    normals = staticmethod(noise.complex_normals_of)
    mean_power = staticmethod(mean_power)
    through = staticmethod(through_channels)
    superposed = staticmethod(superpose_channels)


NUMPY: Engine = NumpyEngine()


@cache
def chosen_engine(choice: NoiseEngineChoice) -> NoiseEngine:
    """Return the engine of a setting; for `auto`, numba if it is installed, compiled and works.

    Frames wait for no compiler: if the kernels are not compiled yet, a process of its own does it,
    for the next start.
    """
    if choice != "auto":
        return choice
    if any(find_spec(name) is None for name in COMPILED_BY):
        return "numpy"
    try:
        if not _are_compiled():
            _compile_beside()
            return "numpy"
        load_engine("numba")
    except ConfigurationError as error:
        event(logger, "noise_engine auto: numpy is used", why=str(error))
        return "numpy"
    return "numba"


def _are_compiled() -> bool:
    with needed_by("noise_engine auto", "compiled"):
        from channel_sim.compiled.machine_code import kept_code
    return kept_code() is not None


def _compile_beside() -> None:
    event(logger, "noise_engine auto: numpy is used", why="the kernels are being compiled")
    with Path(os.devnull).open("wb") as nowhere, suppress(OSError):  # the next start tries again
        beside.append(start_with_log("channel_sim.compiled", log=nowhere))


@cache
def load_engine(engine: NoiseEngine) -> Engine:
    """Load an engine, and check that its bits on this machine are those of numpy.

    Raises:
        ConfigurationError: its package is not installed, or a bit differs.
    """
    if engine == "numpy":
        return NUMPY
    with needed_by(f"noise_engine {engine}", "compiled", otherwise="set noise_engine: numpy"):
        from channel_sim.compiled import engine as compiled
        from channel_sim.compiled.machine_code import load_program

        loaded = compiled.CompiledEngine(load_program())
    if _probe(loaded) != _probe(NUMPY):
        raise ConfigurationError(
            f"noise_engine {engine} rounds differently on this machine; set noise_engine: numpy"
        )
    return loaded


def noise_rounding(engine: NoiseEngine) -> EngineRounding:
    """Return the rounding of a noise engine, which is the same for every engine and machine."""
    drawn = load_engine(engine).normals(PROBE, per_item=PROBE_SAMPLES)
    return EngineRounding(
        engine=engine,
        version=version(engine),
        kernels="any: its operations are exact",
        rounding=hashlib.sha256(drawn.view(np.uint64).tobytes()).hexdigest(),
        threads=1,
    )


def _probe(engine: Engine) -> list[bytes | None]:
    """Return the bits of all that an engine computes, for a frame of each kind."""
    normals = engine.normals(PROBE, per_item=PROBE_SAMPLES)
    symbols_BK = normals[:6] * np.float32(0.5)
    channels = (
        ChannelSettings(),
        ChannelSettings(model="rayleigh", coherence=2),
        ChannelSettings(model="rician", csi="mismatch", csi_error_variance=0.1),
    )
    frames = [
        Codewords(PointSpec(channel=channel, snr_db=3.0, seed=1), f"link-{index}", 5, 2)
        for index, channel in enumerate(channels)
    ]
    power_B = engine.mean_power(symbols_BK)
    together = [engine.through(frames, symbols_BK, power_B)]
    together += [engine.through(frames[:1], symbols_BK[:2], power_B[:2])]
    together += [
        engine.superposed(frames, [0.5, 0.75, 0.25], np.split(symbols_BK, 3), noise_link="group")
    ]
    found: list[bytes | None] = [normals.tobytes(), power_B.tobytes()]
    for each in together:
        csi = each.csi_BM
        rows = None if csi is None else csi[2:] if csi.shape[1] == 1 else csi[:, 1:]
        found += [each.received_BK.tobytes(), None if rows is None else rows.tobytes()]
        found.append(repr(each.snrs_db).encode())
    return found
