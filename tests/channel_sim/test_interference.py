"""Interference: powers and bit errors that theory gives, keys, and the order of sums."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.channels import Codewords
from channel_sim.interference import Sent, draw_interferer, interfere
from channel_sim.passing import pass_frame
from semcom.errors import ProtocolError
from semcom.groups import Group
from semcom.interference import Interference
from semcom.points import ChannelSettings, PluginChannel, PointSpec
from semcom.wire import mean_power

AWGN = ChannelSettings(model="awgn")
RAYLEIGH = ChannelSettings(model="rayleigh")
NOISELESS_DB = 60.0
LINKS = ["a", "b", "c", "d"]


def group_of(*links: str) -> Group:
    return Group(name="cell", kind="interference", links=list(links), window=2)


def point_of(
    *, channel=AWGN, snr_db: float = 10.0, seed: int = 3, n: int = 1, sir_db: float = 6.0, **more
) -> PointSpec:
    met = Interference(interferers=n, sir_db=sir_db, **more) if n else None
    return PointSpec(channel=channel, snr_db=snr_db, seed=seed, interference=met)


def sent_of(link: str, point: PointSpec, symbols: np.ndarray, *, first=0, used=b"") -> Sent:
    return Sent(Codewords(point, link, first, len(symbols), used), symbols)


def random_symbols(link: str, images: int, symbols: int) -> np.ndarray:
    rng = np.random.default_rng(ord(link))
    pairs = rng.standard_normal((2, images, symbols)).astype(np.float32)
    return (pairs[0] + 1j * pairs[1]) / np.float32(math.sqrt(2))


def bits(rng: np.random.Generator, images: int, symbols: int) -> np.ndarray:
    return np.where(rng.random((images, symbols)) < 0.5, -1.0, 1.0).astype(np.complex64)


def met(point: PointSpec, *, links: list[str] = LINKS, wanted: str = "a", images=3, symbols=40):
    """What arrives of the wanted link, and what would without interference."""
    frames = {link: sent_of(link, point, random_symbols(link, images, symbols)) for link in links}
    others = [frames[link] for link in links if link != wanted]
    alone = pass_frame(*frames[wanted])
    return interfere(group_of(*links), frames[wanted], others), alone


@pytest.mark.parametrize(
    ("options", "expected"), [({"occurrence": 1.0}, 6.42e-3), ({}, 5.78e-3)], ids=["on", "0.9"]
)
def test_bit_errors_of_bpsk_with_one_bpsk_interferer_are_those_of_theory(options, expected):
    rng, images, symbols = np.random.default_rng(0), 3000, 500
    point = point_of(delay=0, **options)
    x = [bits(rng, images, symbols), bits(rng, images, symbols)]
    wanted, other = (sent_of(link, point, each) for link, each in zip("ab", x, strict=True))
    received = interfere(group_of("a", "b"), wanted, [other]).received_BK
    errors = np.mean((received.real < 0) != (x[0].real < 0))
    assert errors == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize("sir_db", [0.0, 10.0])
def test_power_of_an_interferer_is_that_of_its_sir_while_it_is_on(sir_db):
    images, symbols = 3000, 144
    point = point_of(snr_db=NOISELESS_DB, sir_db=sir_db)
    rng = np.random.default_rng(1)
    nothing = np.zeros((images, symbols), dtype=np.complex64)
    other = sent_of("b", point, bits(rng, images, symbols))
    passed = interfere(group_of("a", "b"), sent_of("a", point, nothing), [other])
    power_BK = np.abs(passed.received_BK) ** 2
    expected = 10 ** (-sir_db / 10)
    assert power_BK[power_BK > expected / 2].mean() == pytest.approx(expected, rel=0.01)
    assert power_BK.mean() == pytest.approx(0.825 * expected, rel=0.01)


def test_gains_of_interferers_have_power_one_and_delays_and_occurrences_their_shares():
    point = point_of(channel=RAYLEIGH)
    assert point.interference is not None
    wanted = Codewords(point, "a", 0, 60_000)
    draw = draw_interferer(wanted, "b", point.interference, symbols=4)
    assert mean_power(draw.gains_B1).mean() == pytest.approx(1.0, rel=0.02)
    assert np.bincount(draw.delays_B, minlength=25) / 60_000 == pytest.approx(1 / 25, abs=0.004)
    assert draw.on_BK.mean() == pytest.approx(0.9, abs=0.003)
    whole = point.interference.model_copy(update={"per": "codeword"})
    on_BK = draw_interferer(wanted, "b", whole, symbols=4).on_BK
    assert (on_BK == on_BK[:, :1]).all()
    assert on_BK.mean() == pytest.approx(0.9, abs=0.005)


def test_point_without_interference_is_the_plain_link_bit_for_bit():
    passed, alone = met(point_of(n=0, channel=RAYLEIGH))
    np.testing.assert_array_equal(passed.received_BK, alone.received_BK)


def test_interferers_are_those_that_follow_in_the_order_of_names_and_are_added_in_it():
    for wanted, n, expected in [("a", 1, "b"), ("c", 2, "ad"), ("d", 3, "abc"), ("b", 2, "cd")]:
        assert Interference(interferers=n, sir_db=0.0).of(wanted, LINKS) == list(expected)
    point = point_of(channel=RAYLEIGH, n=2, sir_db=3.0)
    passed, alone = met(point, wanted="c")
    assert point.interference is not None
    total = alone.received_BK.copy()
    for link in "ad":
        draw = draw_interferer(Codewords(point, "c", 0, 3), link, point.interference, symbols=40)
        x = random_symbols(link, 3, 40)
        for row, delay in enumerate(draw.delays_B):
            for k in range(delay, 40):
                if draw.on_BK[row, k]:
                    m, s = draw.gains_B1[row, 0], x[row, k - delay]
                    a = np.float32(10 ** (-3.0 / 20))
                    total[row, k] += a * np.complex64(
                        complex(
                            m.real * s.real - m.imag * s.imag, m.real * s.imag + m.imag * s.real
                        )
                    )
    np.testing.assert_array_equal(passed.received_BK, total)
    np.testing.assert_array_equal(passed.csi_BM, alone.csi_BM)
    assert passed.snr_measured_db == alone.snr_measured_db


def test_draws_do_not_depend_on_snr_sir_occurrence_delay_or_number_of_interferers():
    def drawn(**options):
        point = point_of(channel=RAYLEIGH, **options)
        assert point.interference is not None
        return draw_interferer(Codewords(point, "a", 5, 3), "b", point.interference, symbols=64)

    first = drawn()
    for options in [{"snr_db": -3.0}, {"sir_db": 0.0}, {"n": 3}]:
        for one, other in zip(first, drawn(**options), strict=True):
            np.testing.assert_array_equal(one, other)
    rarer = drawn(occurrence=0.5)
    assert not (rarer.on_BK & ~first.on_BK).any(), "what is on at 0.5 is on at 0.9"
    np.testing.assert_array_equal(rarer.delays_B, first.delays_B)
    np.testing.assert_array_equal(drawn(delay=3).on_BK, first.on_BK)
    assert (drawn(seed=4).gains_B1 != first.gains_B1).all()


@given(
    cuts=st.lists(st.integers(1, 6), max_size=3), n=st.integers(1, 3), coherence=st.integers(1, 4),
    order=st.permutations(LINKS[1:]),
)  # fmt: skip
def test_frames_of_any_size_and_members_in_any_order_give_the_same_bits(cuts, n, coherence, order):
    channel = RAYLEIGH.model_copy(update={"coherence": coherence})
    point, images = point_of(channel=channel, n=n), 7
    x = {link: random_symbols(link, images, 12) for link in LINKS}
    group = group_of(*LINKS)

    def received(first: int, end: int, links: list[str]) -> np.ndarray:
        frames = [sent_of(link, point, x[link][first:end], first=first) for link in ["a", *links]]
        return interfere(group, frames[0], frames[1:]).received_BK

    edges = sorted({0, images, *cuts})
    parts = [received(first, end, order) for first, end in pairwise(edges)]
    np.testing.assert_array_equal(np.concatenate(parts), received(0, images, LINKS[1:]))


def test_interference_ends_where_the_wanted_codeword_ends_and_where_the_interferer_ends():
    point = point_of(snr_db=NOISELESS_DB, sir_db=0.0, occurrence=1.0, delay=0)
    ones = np.ones((2, 8), dtype=np.complex64)
    wanted_BK, other_BK = ones.copy(), ones.copy()
    wanted_BK[0, 5:] = 0
    used = np.array([5, 8], dtype="<u2").tobytes()
    passed = interfere(
        group_of("a", "b"), sent_of("a", point, wanted_BK, used=used),
        [sent_of("b", point, other_BK[:, :6].copy())],
    )  # fmt: skip
    received = passed.received_BK
    assert (received[0, 5:] == 0).all()
    assert received[0, :5].real == pytest.approx(2.0, abs=0.02)
    assert received[1].real == pytest.approx([2.0] * 6 + [1.0] * 2, abs=0.02)


def test_channel_model_of_a_package_is_refused():
    point = point_of(channel=PluginChannel(model="jakes", settings={"doppler": 0.02}))
    frames = [sent_of(link, point, random_symbols(link, 1, 4)) for link in "ab"]
    with pytest.raises(ProtocolError, match="does not define the channel of interferers"):
        interfere(group_of("a", "b"), frames[0], frames[1:])
