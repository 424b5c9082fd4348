"""Superposition: powers, order of sums, keys, and bit errors that theory gives."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from channel_sim.channels import Codewords, draw_channel, measured_snr_db
from channel_sim.passing import pass_frame
from channel_sim.superposition import superpose
from semcom.errors import ProtocolError
from semcom.groups import Group
from semcom.points import ChannelSettings, PluginChannel, PointSpec
from semcom.wire import mean_power
from tests.channel_sim.meeting import group_of, symbols_of

AWGN = ChannelSettings(model="awgn")
RAYLEIGH = ChannelSettings(model="rayleigh")
NOISELESS_DB = 60.0


def members_of(
    links: str, *, channel=AWGN, snr_db: float = 5.0, images: int = 2, first: int = 0
) -> list[Codewords]:
    point = PointSpec(channel=channel, snr_db=snr_db, seed=3)
    return [Codewords(point, link, first, images) for link in links]


def bits(rng: np.random.Generator, images: int, symbols: int) -> np.ndarray:
    return np.where(rng.random((images, symbols)) < 0.5, -1.0, 1.0).astype(np.complex64)


def q(x: float) -> float:
    return 0.5 * math.erfc(x / math.sqrt(2.0))


@pytest.mark.parametrize("channel", [AWGN, RAYLEIGH], ids=["awgn", "rayleigh"])
@pytest.mark.parametrize("snr_db", [0.0, 10.0])
def test_power_is_one_and_noise_and_each_member_has_its_share(channel, snr_db):
    rng, images, symbols = np.random.default_rng(0), 500, 400
    group = group_of("a", "b", powers=[0.8, 0.2])
    x = [bits(rng, images, symbols), bits(rng, images, symbols) * 1j]
    passed = superpose(group, members_of("ab", channel=channel, snr_db=snr_db, images=images), x)
    y = passed.received_BK
    noise = 10 ** (-snr_db / 10)
    gains = passed.csi_BM if passed.csi_BM is not None else np.ones((images, 2))
    expected = (np.abs(gains) ** 2 @ [0.8, 0.2]).mean() + noise
    assert mean_power(y).mean() == pytest.approx(expected, rel=0.01)
    for member, power in enumerate(group.powers):
        share = (y * np.conj(gains[:, member : member + 1] * x[member])).mean(axis=1)
        gain = np.abs(gains[:, member]) ** 2
        assert (share.real.sum() / gain.sum()) ** 2 == pytest.approx(power, rel=0.02)


def test_members_are_added_in_ascending_order_of_their_names_then_the_noise():
    group = group_of("a", "b", "c", powers=[0.5, 0.3, 0.2])
    members = members_of("abc", channel=RAYLEIGH)
    x = [symbols_of(link, 0) for link in "abc"]
    passed = superpose(group, members, x)
    total = None
    for member, symbols, power in zip(members, x, group.powers, strict=True):
        h = draw_channel(member.point, link=member.link, first_image=0, images=2, symbols=3)
        re = h.fading_B1.real * symbols.real - h.fading_B1.imag * symbols.imag
        im = h.fading_B1.real * symbols.imag + h.fading_B1.imag * symbols.real
        root = np.float32(math.sqrt(power))
        each = (re * root, im * root)
        total = each if total is None else (total[0] + each[0], total[1] + each[1])
    n = draw_channel(members[0].point, link="cell", first_image=0, images=2, symbols=3).noise_BK
    assert total is not None
    np.testing.assert_array_equal(passed.received_BK.real, total[0] + n.real)
    np.testing.assert_array_equal(passed.received_BK.imag, total[1] + n.imag)


def test_one_member_of_full_power_is_a_plain_link_but_for_the_key_of_the_noise():
    group = Group.model_construct(name="a", links=["a"], powers=[1.0], window=1)
    for channel in (AWGN, RAYLEIGH):
        (member,) = members_of("a", channel=channel)
        x = symbols_of("a", 0)
        passed, plain = superpose(group, [member], [x]), pass_frame(member, x)
        assert passed.payload.tobytes() == plain.payload.tobytes()
        draw = draw_channel(member.point, link="a", first_image=0, images=2, symbols=3)
        assert passed.snr_measured_db == pytest.approx(measured_snr_db(x, draw), abs=1e-4)


def test_frames_of_other_sizes_meet_the_same_channel():
    group = group_of("a", "b")
    x = [symbols_of(link, 0, images=4) for link in "ab"]
    whole = superpose(group, members_of("ab", channel=RAYLEIGH, images=4), x).payload
    parts = [
        superpose(
            group,
            members_of("ab", channel=RAYLEIGH, images=2, first=first),
            [each[first : first + 2] for each in x],
        ).payload
        for first in (0, 2)
    ]
    np.testing.assert_array_equal(whole, np.concatenate(parts))


def test_channel_state_is_a_gain_of_each_member_in_order():
    group, members = group_of("a", "b"), members_of("ab", channel=RAYLEIGH)
    passed = superpose(group, members, [symbols_of(link, 0) for link in "ab"])
    gains = [
        draw_channel(each.point, link=each.link, first_image=0, images=2, symbols=3).fading_B1
        for each in members
    ]
    assert passed.csi_BM is not None
    np.testing.assert_array_equal(passed.csi_BM, np.concatenate(gains, axis=1))
    hidden = members_of("ab", channel=ChannelSettings(model="rayleigh", csi="none"))
    assert superpose(group, hidden, [symbols_of(link, 0) for link in "ab"]).csi_BM is None


@pytest.mark.parametrize(("snr_db", "expected"), [(5.0, 3.77e-2), (10.0, 7.83e-4)])
def test_bit_errors_of_two_orthogonal_users(snr_db, expected):
    assert q(math.sqrt(10 ** (snr_db / 10))) == pytest.approx(expected, rel=2e-3)
    rng, images, symbols = np.random.default_rng(1), 1000, 2000
    x = [bits(rng, images, symbols), 1j * bits(rng, images, symbols)]
    y = superpose(group_of("a", "b"), members_of("ab", snr_db=snr_db, images=images), x).received_BK
    for sent, received in ((x[0].real, y.real), (x[1].imag, y.imag)):
        assert (np.sign(received) != sent).mean() == pytest.approx(expected, rel=0.05)


def test_bit_errors_of_the_stronger_of_two_users_on_one_axis():
    rng, images, symbols = np.random.default_rng(2), 500, 2000
    x = [bits(rng, images, symbols), bits(rng, images, symbols)]
    group = group_of("a", "b", powers=[0.8, 0.2])
    y = superpose(group, members_of("ab", snr_db=10.0, images=images), x).received_BK
    assert (np.sign(y.real) != x[0].real).mean() == pytest.approx(1.14e-2, rel=0.05)


def test_model_of_a_package_fades_each_member_by_itself():
    channel = PluginChannel(model="jakes", settings={})
    group, members = group_of("a", "b"), members_of("ab", channel=channel, snr_db=NOISELESS_DB)
    x = [symbols_of(link, 0) for link in "ab"]
    passed = superpose(group, members, x)
    assert passed.csi_BM is not None
    np.testing.assert_allclose(
        passed.received_BK,
        sum(math.sqrt(0.5) * passed.csi_BM[:, u : u + 1] * x[u] for u in range(2)),
        atol=5e-3,
    )


def test_model_that_states_a_gain_per_symbol_is_refused():
    channel = PluginChannel(model="tdl", settings={})
    members = members_of("ab", channel=channel)
    with pytest.raises(ProtocolError, match="one gain of each is needed"):
        superpose(group_of("a", "b"), members, [symbols_of(link, 0) for link in "ab"])


@pytest.mark.parametrize(
    ("links", "powers"),
    [(["b", "a"], [0.5, 0.5]), (["a", "a"], [0.5, 0.5]), (["a", "b"], [1.0]),
     (["a", "b"], [0.5, 0.6]), (["a", "b"], [0.0, 1.0]), (["a"], [1.0])],
)  # fmt: skip
def test_group_that_means_nothing_is_refused(links, powers):
    with pytest.raises(ValueError, match=r"links|powers"):
        Group(name="cell", links=links, powers=powers, window=1)


def test_seventeen_members_are_too_many():
    links = ["".join(pair) for pair in itertools.product("abcde", "abcd")][:17]
    with pytest.raises(ValueError, match="links"):
        Group(name="cell", links=links, powers=[1 / 17] * 17, window=1)
