"""The compiled engine: the bits of numpy's, for all that a channel computes."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from channel_sim import noise
from channel_sim.channels import Codewords
from channel_sim.interference import Sent, interfere
from channel_sim.noise import Items
from channel_sim.noise_engine import NUMPY, load_engine
from channel_sim.passing import pass_frames
from channel_sim.superposition import superpose
from semcom.groups import Group
from semcom.interference import Interference
from semcom.points import ChannelSettings, PluginChannel, PointSpec
from semcom.used_symbols import format_used

NUMBA = load_engine("numba")
WORD = st.integers(0, 2**64 - 1)
ITEMS = st.builds(
    Items,
    key=st.tuples(WORD, WORD),
    first=st.one_of(st.integers(0, 300), st.integers(2**31 - 300, 2**31 - 1)),
    number=st.integers(1, 9),
)
OWN = st.builds(
    ChannelSettings,
    model=st.sampled_from(["awgn", "rayleigh", "rician"]),
    rician_k=st.sampled_from([0.0, 0.3, 4.0, 1e4]),
    coherence=st.integers(1, 5),
    csi=st.sampled_from(["perfect", "mismatch", "none"]),
    csi_error_variance=st.sampled_from([0.0, 0.05, 10.0]),
)
PLUGIN = st.just(PluginChannel(model="clipping", settings={"papr_db": 1.0}))
SNR_DB = st.floats(-30.0, 60.0, allow_nan=False)
FEW = settings(max_examples=50, derandomize=True, deadline=None, database=None)


def points_of(channels):
    return st.builds(PointSpec, channel=channels, snr_db=SNR_DB, seed=st.integers(0, 2**63 - 1))


def symbols_of(
    dice: np.random.Generator, rows: int, symbols: int, *, least: int = -40
) -> np.ndarray:
    """Codewords with zeros of both signs, subnormal and ordinary numbers."""
    shape = (rows, 2 * symbols)
    values = dice.standard_normal(shape) * 10.0 ** dice.integers(least, 1, shape)
    values[dice.random(shape) < 0.2] *= 0.0
    return values.astype(np.float32).view(np.complex64)


def bits(passed) -> list[object]:
    found: list[object] = []
    for each in passed:
        csi = each.csi_BM
        found.append(each.received_BK.tobytes())
        found.append(None if csi is None else (csi.shape, csi.tobytes()))
        found.append(each.snr_measured_db)
    return found


@FEW
@given(parts=st.lists(ITEMS, min_size=1, max_size=5), per_item=st.integers(1, 120))
def test_normals_are_numpys_bit_for_bit(parts, per_item):
    ours = NUMBA.normals(parts, per_item=per_item)
    theirs = noise.complex_normals_of(parts, per_item=per_item)
    assert ours.dtype == theirs.dtype
    assert ours.shape == theirs.shape
    assert ours.tobytes() == theirs.tobytes()


def test_a_million_samples_are_numpys_bit_for_bit():
    parts = [Items((3, 5), 0, 1000)]
    ours = NUMBA.normals(parts, per_item=1000)
    assert ours.tobytes() == noise.complex_normals_of(parts, per_item=1000).tobytes()


@FEW
@given(
    rows=st.integers(1, 40),
    symbols=st.one_of(st.integers(1, 150), st.integers(3000, 4096)),
    seed=st.integers(0, 999),
)
def test_mean_powers_are_numpys_bit_for_bit(rows, symbols, seed):
    symbols_BK = symbols_of(np.random.default_rng(seed), rows, symbols)
    assert NUMBA.mean_power(symbols_BK).tobytes() == NUMPY.mean_power(symbols_BK).tobytes()


def test_a_power_beyond_all_floats_is_infinite_by_both_engines():
    loud = np.full((2, 3), 3e38, dtype=np.complex64)
    assert NUMBA.mean_power(loud).tolist() == NUMPY.mean_power(loud).tolist() == [np.inf, np.inf]


@FEW
@given(data=st.data(), symbols=st.integers(1, 150), seed=st.integers(0, 999))
def test_frames_together_are_numpys_bit_for_bit(data, symbols, seed):
    """Any frames: their fading, channel state, lengths, and what is measured."""
    dice = np.random.default_rng(seed)
    points = data.draw(st.lists(points_of(st.one_of(OWN, PLUGIN)), min_size=1, max_size=4))
    frames, sent = [], []
    for index in range(data.draw(st.integers(1, 6))):
        images = data.draw(st.one_of(st.integers(1, 4), st.integers(100, 200)))
        rows, used = symbols_of(dice, images, symbols, least=-12), b""
        if data.draw(st.booleans()):
            used_B = dice.integers(0, symbols + 1, images).astype(np.uint16)
            used = format_used(used_B, symbols)
            rows[np.arange(symbols) >= used_B[:, None]] = 0
        first = data.draw(st.one_of(st.integers(0, 300), st.just(2**31 - 300)))
        frames.append(Codewords(points[index % len(points)], f"link-{index}", first, images, used))
        sent.append(rows)
    symbols_BK = np.concatenate(sent)
    power_B = NUMPY.mean_power(symbols_BK)
    passed = [
        bits(pass_frames(frames, symbols_BK, power_B, engine=engine)) for engine in (NUMPY, NUMBA)
    ]
    assert passed[0] == passed[1]


@pytest.mark.parametrize("images", [1, 9, 129, 1000, 4096])
@pytest.mark.parametrize("model", ["awgn", "rayleigh"])
def test_measured_snr_of_many_codewords_is_numpys(model, images):
    """Sums of so many are not in order, but of halves of halves."""
    point = PointSpec(channel=ChannelSettings(model=model), snr_db=7.0, seed=5)
    symbols_BK = symbols_of(np.random.default_rng(images), images, 3)
    frame = Codewords(point, "a", 11, images)
    one, other = (
        bits(pass_frames([frame], symbols_BK, NUMPY.mean_power(symbols_BK), engine=engine))
        for engine in (NUMPY, NUMBA)
    )
    assert one == other


@FEW
@given(
    data=st.data(),
    point=points_of(st.one_of(OWN, PLUGIN)),
    images=st.one_of(st.integers(1, 5), st.integers(120, 300)),
    symbols=st.integers(1, 150),
    seed=st.integers(0, 999),
)
def test_superposed_frames_are_numpys_bit_for_bit(data, point, images, symbols, seed):
    dice = np.random.default_rng(seed)
    links = [f"link-{index}" for index in range(data.draw(st.integers(2, 4)))]
    shares = dice.dirichlet(np.ones(len(links)))
    group = Group(name="g", kind="superposition", window=4, links=links, powers=shares.tolist())
    members = [Codewords(point, link, 7, images) for link in links]
    sent = [symbols_of(dice, images, symbols, least=-12) for _ in links]
    one, other = (bits([superpose(group, members, sent, engine=it)]) for it in (NUMPY, NUMBA))
    assert one == other


@FEW
@given(channel=OWN, snr_db=SNR_DB, images=st.integers(1, 5), seed=st.integers(0, 999))
def test_frames_with_interferers_are_numpys_bit_for_bit(channel, snr_db, images, seed):
    dice = np.random.default_rng(seed)
    interference = Interference(interferers=1, sir_db=3.0, occurrence=0.7, delay=4)
    point = PointSpec(channel=channel, snr_db=snr_db, seed=1, interference=interference)
    group = Group(name="g", kind="interference", window=4, links=["a", "b"])
    wanted, other = (
        Sent(Codewords(point, link, 3, images), symbols_of(dice, images, 9)) for link in "ab"
    )
    found = [bits([interfere(group, wanted, [other], engine=it)]) for it in (NUMPY, NUMBA)]
    assert found[0] == found[1]


def test_threads_do_not_share_what_kernels_write_meanwhile():
    expected = noise.complex_normals_of([Items((1, 2), 0, 200)], per_item=51).tobytes()
    wrong: list[int] = []

    def draw(number: int) -> None:
        for _ in range(50):
            if NUMBA.normals([Items((1, 2), 0, 200)], per_item=51).tobytes() != expected:
                wrong.append(number)

    threads = [threading.Thread(target=draw, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_another_point_at_the_place_of_a_forgotten_one_has_its_own_record():
    """Records are found by a point's place in memory, which another one may take."""
    symbols_BK = symbols_of(np.random.default_rng(0), 2, 5)
    for seed in range(200):
        frame = Codewords(PointSpec(snr_db=0.0, seed=seed), "a", 0, 2)
        power_B = NUMPY.mean_power(symbols_BK)
        ours, theirs = (it.through([frame], symbols_BK, power_B) for it in (NUMBA, NUMPY))
        assert ours.received_BK.tobytes() == theirs.received_BK.tobytes()
