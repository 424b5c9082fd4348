"""The compiled noise: the bits of numpy's, or none at all."""

from __future__ import annotations

import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channel_sim import compiled_noise, noise, noise_bench
from channel_sim.channels import Codewords, draw_channels
from channel_sim.noise import Items
from channel_sim.noise_engine import load_normals
from semcom.errors import ConfigurationError
from semcom.points import ChannelSettings, PointSpec

WORD = st.integers(0, 2**64 - 1)
ITEMS = st.builds(
    Items,
    key=st.tuples(WORD, WORD),
    first=st.one_of(st.integers(0, 300), st.integers(2**31 - 300, 2**31 - 1)),
    number=st.integers(1, 9),
)


@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(parts=st.lists(ITEMS, min_size=1, max_size=5), per_item=st.integers(1, 120))
def test_compiled_noise_is_numpys_bit_for_bit(parts, per_item):
    ours = compiled_noise.complex_normals_of(parts, per_item=per_item)
    theirs = noise.complex_normals_of(parts, per_item=per_item)
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert ours.tobytes() == theirs.tobytes()


def test_a_million_samples_are_numpys_bit_for_bit():
    parts = [Items((3, 5), 0, 1000)]
    ours = compiled_noise.complex_normals_of(parts, per_item=1000)
    assert ours.tobytes() == noise.complex_normals_of(parts, per_item=1000).tobytes()


def test_radii_are_numpys_at_the_edges_of_their_range():
    """The least and the greatest uniform, and both sides of every change of the exponent."""
    steps = [2**n + d for n in range(49) for d in (-2, -1, 0, 1)]
    steps += [round(2**n * 2**-0.5) + d for n in range(49) for d in (-1, 0, 1)]
    words = np.array([step << 16 for step in steps if 0 <= step < 2**48], dtype=np.uint64)
    radii = np.empty(len(words), dtype=np.float32)
    compiled_noise._fill_radii(words, radii)
    assert radii.tobytes() == noise._box_muller(words).real.tobytes()


@pytest.mark.parametrize("model", ["awgn", "rayleigh", "rician"])
def test_channels_drawn_by_either_engine_are_the_same(model):
    channel = ChannelSettings(
        model=model, coherence=2, csi="mismatch" if model != "awgn" else "perfect"
    )
    point = PointSpec(channel=channel, snr_db=3.0, seed=1)
    frames = [Codewords(point, link, 3, 5) for link in ("a", "b")]
    drawn = [
        draw_channels(frames, symbols=7, normals=load_normals(engine))
        for engine in ("numpy", "numba")
    ]
    for name in ("fading_B1", "noise_BK", "csi_B1"):
        one, other = (getattr(draw, name) for draw in drawn)
        assert (one is None) == (other is None)
        assert one is None or one.tobytes() == other.tobytes()


def test_numpy_is_not_compiled_anything():
    assert load_normals("numpy") is noise.complex_normals_of


def test_without_numba_one_line_says_what_to_install(monkeypatch):
    monkeypatch.delitem(sys.modules, "channel_sim.compiled_noise")
    monkeypatch.delattr("channel_sim.compiled_noise")
    monkeypatch.setitem(sys.modules, "numba", None)
    with pytest.raises(ConfigurationError, match=r"numba.*: pip install 'rkd-sc\[compiled\]'"):
        load_normals("numba")


def test_an_engine_that_rounds_differently_is_refused(monkeypatch):
    def nearly(parts, *, per_item):
        samples = noise.complex_normals_of(parts, per_item=per_item)
        samples.real[3, 5] = np.nextafter(samples.real[3, 5], np.float32(9))
        return samples

    monkeypatch.setattr(compiled_noise, "complex_normals_of", nearly)
    with pytest.raises(ConfigurationError, match="rounds differently here"):
        load_normals("numba")


def test_bench_names_every_engine_and_numpys_own_normals(monkeypatch):
    monkeypatch.setattr(noise_bench, "DRAWS", 2)
    costs = noise_bench.nanoseconds()
    assert set(costs) == {"numpy", "numba", "numpy's normals"}
    assert all(cost > 0 for cost in costs.values())
