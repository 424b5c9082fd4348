"""Keyed noise: the published generator, our own transform, and nothing that could drift.

If a change of the numbers is meant, every recorded run is void: say so in the change log, then pin
the new vectors.
"""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim import noise
from channel_sim.noise import complex_normals, stream_key
from tests.properties import examples

fuzz = examples(60)

KEY = stream_key(seed=1, link="cifar10", point="awgn:coherence=1:snr_db=0.0", purpose="noise")
MASK = 2**64 - 1


def philox_4x64_10(counter: tuple[int, ...], key: tuple[int, ...]) -> tuple[int, ...]:
    """Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011), written from there."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        high0, low0 = divmod(c0 * 0xD2E7470EE14C6C93, 2**64)
        high1, low1 = divmod(c2 * 0xCA5A826395121157, 2**64)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = (k0 + 0x9E3779B97F4A7C15) & MASK, (k1 + 0xBB67AE8584CAA73B) & MASK
    return c0, c1, c2, c3


def expected_sample(word: int) -> complex:
    """Box-Muller in double precision: upper 48 bits the radius, lower 16 bits the phase."""
    radius = math.sqrt(-math.log(((word >> 16) + 1) / 2**48))
    phase = 2 * math.pi * (word & 0xFFFF) / 2**16
    return complex(radius * math.cos(phase), radius * math.sin(phase))


@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        # The known-answer vectors that come with Random123 (kat_vectors, philox4x64 10).
        (
            (0, 0, 0, 0),
            (0, 0),
            (0x16554D9ECA36314C, 0xDB20FE9D672D0FDC, 0xD7E772CEE186176B, 0x7E68B68AEC7BA23B),
        ),
        (
            (MASK, MASK, MASK, MASK),
            (MASK, MASK),
            (0x87B092C3013FE90B, 0x438C3C67BE8D0224, 0x9CC7D7C69CD777B6, 0xA09CAEBF594F0BA0),
        ),
        (
            (0x243F6A8885A308D3, 0x13198A2E03707344, 0xA4093822299F31D0, 0x082EFA98EC4E6C89),
            (0x452821E638D01377, 0xBE5466CF34E90C6C),
            (0xA528F45403E61D95, 0x38C72DBD566E9788, 0xA5A1610E72FD18B5, 0x57BD43B5E52B7FE6),
        ),
    ],
)
def test_reference_generator_gives_the_published_answers(counter, key, expected):
    assert philox_4x64_10(counter, key) == expected


@pytest.mark.parametrize("key", [(0, 0), (MASK, MASK), KEY])
@pytest.mark.parametrize(("first_item", "per_item"), [(0, 4), (3, 4), (5, 9), (2**31 - 1, 51)])
def test_item_is_philox_blocks_through_box_muller(key, first_item, per_item):
    blocks = math.ceil(per_item / 4)
    first = first_item * blocks + 1
    words = [
        word
        for block in range(first, first + blocks)
        for word in philox_4x64_10((block, 0, 0, 0), key)
    ]
    expected = np.array([expected_sample(word) for word in words[:per_item]])
    samples = complex_normals(key, first_item=first_item, items=1, per_item=per_item)
    np.testing.assert_allclose(samples[0], expected, rtol=3e-7, atol=3e-7)


def test_first_samples_of_a_stream_are_those_pinned():
    samples = complex_normals(KEY, first_item=0, items=2, per_item=3)
    pinned = np.array(
        [
            [
                0.8121731281280518 + 0.2486676722764969j,
                -0.17899353802204132 - 0.17721766233444214j,
                -0.688829243183136 + 1.1358647346496582j,
            ],
            [
                0.6019685864448547 + 1.2562006711959839j,
                0.41009944677352905 + 0.03484038636088371j,
                -1.2539409399032593 + 0.5311285257339478j,
            ],
        ],
        dtype=np.complex64,
    )
    assert samples.dtype == np.complex64
    assert samples.tobytes() == pinned.tobytes()


def test_larger_draw_is_the_one_pinned():
    samples = complex_normals(KEY, first_item=1000, items=500, per_item=205)
    digest = hashlib.sha256(np.ascontiguousarray(samples, dtype="<c8").tobytes()).hexdigest()
    assert digest == "9c7a667802e7289b6efdb005492da971594310e3988d0027682ca0b8afd7c640"


def test_phase_tables_are_those_pinned():
    assert noise.PHASORS.dtype == np.complex64
    digests = [
        hashlib.sha256(table.astype("<f4").tobytes()).hexdigest()
        for table in (noise.PHASORS.real, noise.PHASORS.imag)
    ]
    assert digests == [
        "c70c011f1948d7bcd3034f5c416dfc63800b639c772f19294d54a70946f82641",
        "cdfaec6870788e193dff3f1ddfa3ca7d3f1a897042d78365a1fe3a433be3627d",
    ]


def test_phase_tables_are_cosine_and_sine_rounded():
    phases = [2 * math.pi * index / 65536 for index in range(65536)]
    for table, function in ((noise.PHASORS.real, math.cos), (noise.PHASORS.imag, math.sin)):
        exact = np.array([function(phase) for phase in phases])
        assert np.abs(table - exact).max() < 2**-24


def test_stream_key_is_the_one_pinned():
    text = b"1\ncifar10\nawgn:coherence=1:snr_db=0.0\nnoise"
    digest = hashlib.blake2b(text, digest_size=16).digest()
    assert tuple(np.frombuffer(digest, dtype="<u8").tolist()) == KEY
    assert KEY == (16947738791507364585, 15612466606259956251)


def test_every_part_of_the_key_tells_streams_apart():
    parts = {"seed": 1, "link": "a", "point": "p", "purpose": "noise"}
    others = [{"seed": 2}, {"link": "b"}, {"point": "q"}, {"purpose": "fading"}]
    keys = {stream_key(**{**parts, **other}) for other in [{}, *others]}
    assert len(keys) == 5
    assert stream_key(seed=1, link="1a", point="p", purpose="n") != stream_key(
        seed=11, link="a", point="p", purpose="n"
    )


@fuzz
@given(
    first=st.integers(0, 10_000),
    items=st.integers(1, 12),
    per_item=st.integers(1, 13),
    data=st.data(),
)
def test_any_range_of_items_is_the_same_drawn_alone(first, items, per_item, data):
    whole = complex_normals(KEY, first_item=first, items=items, per_item=per_item)
    cut = data.draw(st.integers(0, items - 1))
    part = complex_normals(KEY, first_item=first + cut, items=items - cut, per_item=per_item)
    assert part.tobytes() == whole[cut:].tobytes()
    one = complex_normals(KEY, first_item=first + cut, items=1, per_item=per_item)
    assert one.tobytes() == whole[cut].tobytes()


def test_shorter_item_of_as_many_blocks_begins_like_the_longer_one():
    longer = complex_normals(KEY, first_item=7, items=3, per_item=8)
    shorter = complex_normals(KEY, first_item=7, items=3, per_item=5)
    assert np.array_equal(longer[:, :5], shorter)


def test_global_random_state_plays_no_part():
    before = complex_normals(KEY, first_item=0, items=4, per_item=4)
    np.random.seed(1)  # noqa: NPY002
    assert np.array_equal(before, complex_normals(KEY, first_item=0, items=4, per_item=4))


@pytest.fixture(scope="module")
def million():
    """A million samples of one stream, as complex128."""
    return complex_normals(KEY, first_item=0, items=1000, per_item=1000).ravel().astype(complex)


def test_power_is_one_and_half_of_it_on_each_axis(million):
    assert np.mean(np.abs(million) ** 2) == pytest.approx(1.0, rel=0.01)
    assert np.mean(million.real**2) == pytest.approx(0.5, rel=0.01)
    assert np.mean(million.imag**2) == pytest.approx(0.5, rel=0.01)
    assert abs(np.mean(million)) < 0.005


def test_axes_are_uncorrelated_and_circular(million):
    assert abs(np.mean(million.real * million.imag)) < 0.0025
    assert abs(np.mean(million**2)) < 0.005


def test_shape_is_gaussian(million):
    for axis in (million.real, million.imag):
        standard = axis / np.sqrt(0.5)
        assert np.mean(standard**3) == pytest.approx(0.0, abs=0.02)
        assert np.mean(standard**4) == pytest.approx(3.0, rel=0.01)
        assert np.mean(standard**6) == pytest.approx(15.0, rel=0.03)
        for edge, share in ((1.0, 0.317311), (2.0, 0.045500), (3.0, 0.0026998)):
            spread = math.sqrt(share / len(axis))
            assert np.mean(np.abs(standard) > edge) == pytest.approx(share, abs=4 * spread)


def test_tails_of_the_power_are_exponential(million):
    power = np.abs(million) ** 2
    for edge in (0.01, 1.0, 5.0, 9.0):
        share = math.exp(-edge)
        spread = math.sqrt(share * (1 - share) / len(power))
        assert np.mean(power > edge) == pytest.approx(share, abs=4 * spread)
    assert power.max() > 11
    assert np.isfinite(million).all()


def test_neighbouring_samples_items_and_streams_are_uncorrelated(million):
    other_key = stream_key(seed=2, link="cifar10", point="awgn", purpose="noise")
    other = complex_normals(other_key, first_item=0, items=1000, per_item=1000).ravel()
    for neighbour in (np.roll(million, 1), np.roll(million, 1000), other):
        assert abs(np.mean(million * np.conj(neighbour))) < 0.004


def test_extreme_words_give_finite_samples():
    words = np.array([0, MASK, 0xFFFF, MASK - 0xFFFF], dtype=np.uint64)
    samples = noise._box_muller(words)
    assert np.isfinite(samples).all()
    assert abs(samples[0]) == pytest.approx(math.sqrt(48 * math.log(2)), rel=1e-6)
    assert abs(samples[1]) == 0.0


def test_logarithm_is_right_to_the_last_digits():
    x = np.concatenate([2.0 ** -np.arange(49), np.linspace(1e-9, 1, 5000)])
    exact = np.array([math.log(value) for value in x])
    np.testing.assert_allclose(noise._natural_log(x), exact, rtol=2e-14, atol=2e-14)
