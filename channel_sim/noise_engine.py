"""What draws the noise: numpy, or compiled loops that give the same bits in a quarter of the time.

numba is imported only where it is asked for: it takes time and memory to start.
"""

from __future__ import annotations

import hashlib
from importlib.metadata import version

import numpy as np

from channel_sim import noise
from channel_sim.noise import ComplexArray, Items, Normals
from semcom.errors import ConfigurationError
from semcom.extras import needed_by
from semcom.fingerprint import EngineRounding
from semcom.settings import NoiseEngine

PROBE = [Items((2**64 - 1, 2**63 + 12345), 7, 40), Items((1, 2), 2**31 - 1, 1)]
PROBE_SAMPLES = 51  # per item; the last block of each is not used up


def load_normals(engine: NoiseEngine) -> Normals:
    """Import an engine, and see that it draws on this machine what numpy draws.

    Raises:
        ConfigurationError: its package is not installed, or a bit differs.
    """
    if engine == "numpy":
        return noise.complex_normals_of
    with needed_by(f"noise_engine {engine}", "compiled", otherwise="set noise_engine: numpy"):
        from channel_sim import compiled_noise
    normals: Normals = compiled_noise.complex_normals_of
    if not np.array_equal(_bits(noise.complex_normals_of), _bits(normals)):
        raise ConfigurationError(
            f"noise_engine {engine} rounds differently here; delete what it compiled before "
            "(__pycache__), or set noise_engine: numpy"
        )
    return normals


def noise_rounding(engine: NoiseEngine) -> EngineRounding:
    """Return how an engine draws known noise here: the same on every machine and by each engine."""
    return EngineRounding(
        engine=engine,
        version=version(engine),
        kernels="any: its operations are exact",
        rounding=hashlib.sha256(_bits(load_normals(engine)).tobytes()).hexdigest(),
        threads=1,
    )


def _bits(normals: Normals) -> np.ndarray[tuple[int, ...], np.dtype[np.uint64]]:
    samples: ComplexArray = normals(PROBE, per_item=PROBE_SAMPLES)
    return samples.view(np.uint64)
