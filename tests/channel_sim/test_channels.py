"""Fading and noise: their power, what they depend on, and what they must not depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.channels import (
    ChannelDraw,
    Codewords,
    apply_channel,
    draw_channel,
    draw_channels,
    measured_snr_db,
    pass_through,
)
from semcom.points import ChannelSettings, PointSpec
from tests.properties import examples

fuzz = examples(60)

MODELS = ("awgn", "rayleigh", "rician")
IMAGES, SYMBOLS = 200_000, 2


def point_of(model: str = "rayleigh", *, snr_db: float = 3.0, seed: int = 7, **options: object):
    """A point of a sweep."""
    channel = ChannelSettings.model_validate({"model": model, **options})
    return PointSpec(channel=channel, snr_db=snr_db, seed=seed)


def draw(point: PointSpec, *, first: int = 0, images: int = 10, symbols: int = 5, link: str = "a"):
    """The channel of some images."""
    return draw_channel(point, link=link, first_image=first, images=images, symbols=symbols)


def codewords(images: int, symbols: int) -> np.ndarray:
    """Symbols of unit mean power per image, not at random."""
    phase = np.arange(images * symbols, dtype=np.float64) ** 2
    return np.exp(1j * phase).astype(np.complex64).reshape(images, symbols)


def bits(channel: ChannelDraw) -> bytes:
    """Everything that was drawn."""
    csi = b"" if channel.csi_B1 is None else channel.csi_B1.tobytes()
    return channel.fading_B1.tobytes() + channel.noise_BK.tobytes() + csi


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("snr_db", [-10.0, 0.0, 25.0])
def test_noise_has_the_power_that_the_snr_states(model, snr_db):
    noise_BK = draw(point_of(model, snr_db=snr_db), images=IMAGES, symbols=SYMBOLS).noise_BK
    noise_power = 10 ** (-snr_db / 10)
    assert np.mean(np.abs(noise_BK) ** 2) == pytest.approx(noise_power, rel=0.01)
    assert np.mean(noise_BK.real**2) == pytest.approx(noise_power / 2, rel=0.01)
    assert np.mean(noise_BK.imag**2) == pytest.approx(noise_power / 2, rel=0.01)


@pytest.mark.parametrize(
    ("model", "options"),
    [
        ("awgn", {}),
        ("rayleigh", {}),
        *(("rician", {"rician_k": k}) for k in (0.0, 1.0, 4.0, 100.0)),
    ],
)
def test_fading_has_unit_mean_power(model, options):
    fading_B1 = draw(point_of(model, **options), images=IMAGES).fading_B1
    assert fading_B1.shape == (IMAGES, 1)
    assert fading_B1.dtype == np.complex64
    assert np.mean(np.abs(fading_B1) ** 2) == pytest.approx(1.0, rel=0.01)


def test_awgn_has_no_fading():
    channel = draw(point_of("awgn"), images=50)
    assert np.array_equal(channel.fading_B1, np.ones((50, 1)))
    assert channel.csi_B1 is None


def test_rayleigh_power_is_exponential_and_its_phase_uniform():
    fading_B = draw(point_of(), images=IMAGES).fading_B1.ravel()
    power = np.abs(fading_B) ** 2
    for edge in (0.1, 1.0, 3.0):
        assert np.mean(power > edge) == pytest.approx(np.exp(-edge), abs=0.005)
    assert np.var(power) == pytest.approx(1.0, rel=0.02)
    assert abs(np.mean(fading_B / np.abs(fading_B))) < 0.01


@pytest.mark.parametrize("k", [0.5, 4.0, 20.0])
def test_rician_factor_is_the_ratio_of_direct_to_scattered_power(k):
    fading_B = draw(point_of("rician", rician_k=k), images=IMAGES).fading_B1.ravel()
    direct = np.mean(fading_B)
    scattered = np.mean(np.abs(fading_B - direct) ** 2)
    assert direct.real == pytest.approx(np.sqrt(k / (k + 1)), abs=0.005)
    assert abs(direct.imag) < 0.005
    assert np.abs(direct) ** 2 / scattered == pytest.approx(k, rel=0.02)
    assert np.var(fading_B.real) == pytest.approx(0.5 / (k + 1), rel=0.02)
    assert np.var(fading_B.imag) == pytest.approx(0.5 / (k + 1), rel=0.02)


@pytest.mark.parametrize("model", MODELS)
def test_received_power_is_signal_plus_noise(model):
    symbols_BK = codewords(IMAGES, SYMBOLS)
    received = pass_through(symbols_BK, draw(point_of(model), images=IMAGES, symbols=SYMBOLS))
    assert np.mean(np.abs(received) ** 2) == pytest.approx(1 + 10**-0.3, rel=0.01)


def test_channel_is_the_sum_of_what_was_drawn():
    symbols_BK = codewords(4, 5)
    channel = draw(point_of(), images=4)
    expected = channel.fading_B1 * symbols_BK + channel.noise_BK
    np.testing.assert_allclose(pass_through(symbols_BK, channel), expected, rtol=1e-6, atol=1e-6)
    handmade = ChannelDraw(
        fading_B1=np.array([[2j]], dtype=np.complex64),
        noise_BK=np.array([[0.5, -1j]], dtype=np.complex64),
        csi_B1=None,
    )
    sent = np.array([[1 + 3j, -2]], dtype=np.complex64)
    assert pass_through(sent, handmade).tolist() == [[-5.5 + 2j, -5j]]


def test_content_of_the_codewords_changes_nothing_that_is_drawn():
    point, channel = point_of(), draw(point_of())
    loud, quiet = codewords(10, 5), codewords(10, 5) * np.float32(1e-3)
    for symbols_BK in (loud, quiet, np.zeros_like(loud)):
        received = pass_through(symbols_BK, draw(point))
        residue = received - channel.fading_B1 * symbols_BK
        np.testing.assert_allclose(residue, channel.noise_BK, atol=1e-6)
    assert np.array_equal(pass_through(np.zeros_like(loud), channel), channel.noise_BK)


def test_formula_serves_torch_as_it_serves_numpy():
    torch = pytest.importorskip("torch")
    symbols_BK, channel = codewords(6, 5), draw(point_of(), images=6)
    pairs = [
        (torch.from_numpy(each.real.copy()), torch.from_numpy(each.imag.copy()))
        for each in (symbols_BK, channel.fading_B1, channel.noise_BK)
    ]
    real, imag = apply_channel(*pairs)
    received = pass_through(symbols_BK, channel)
    assert np.array_equal(real.numpy(), received.real)
    assert np.array_equal(imag.numpy(), received.imag)


@pytest.mark.parametrize(
    "options",
    [
        {"model": "awgn"},
        {"model": "rayleigh"},
        {"model": "rician", "coherence": 7},
        {"model": "rayleigh", "coherence": 3, "csi": "mismatch", "csi_error_variance": 0.1},
    ],
)
@pytest.mark.parametrize("first", [0, 1000])
def test_batch_of_a_hundred_is_a_hundred_batches_of_one(options, first):
    point, symbols_BK = point_of(**options), codewords(100, 51)
    whole = draw(point, first=first, images=100, symbols=51)
    received = pass_through(symbols_BK, whole)
    for index in range(100):
        alone = draw(point, first=first + index, images=1, symbols=51)
        sent = symbols_BK[index : index + 1]
        assert pass_through(sent, alone).tobytes() == received[index].tobytes()
        assert (alone.csi_B1 is None) == (whole.csi_B1 is None)
        if alone.csi_B1 is not None:
            assert alone.csi_B1.tobytes() == whole.csi_B1[index].tobytes()


@fuzz
@given(
    model=st.sampled_from(MODELS),
    coherence=st.integers(1, 40),
    first=st.integers(0, 2**31 - 200),
    images=st.integers(2, 60),
    data=st.data(),
)
def test_any_cut_of_a_batch_draws_the_same(model, coherence, first, images, data):
    point = point_of(model, coherence=coherence, csi="mismatch", csi_error_variance=0.3)
    cut = data.draw(st.integers(1, images - 1))
    whole = draw(point, first=first, images=images)
    parts = [draw(point, first=first, images=cut)]
    parts.append(draw(point, first=first + cut, images=images - cut))
    for name in ("fading_B1", "noise_BK", "csi_B1"):
        values = [getattr(part, name) for part in parts]
        if getattr(whole, name) is None:
            assert values == [None, None]
        else:
            assert np.concatenate(values).tobytes() == getattr(whole, name).tobytes()


def test_coherent_images_share_one_gain_and_no_noise():
    channel = draw(point_of(coherence=4), first=2, images=12)
    gains = channel.fading_B1.ravel()
    blocks = (2 + np.arange(12)) // 4
    for block in set(blocks.tolist()):
        assert len(set(gains[blocks == block].tolist())) == 1
    assert len(set(gains.tolist())) == len(set(blocks.tolist())) == 4
    assert len(np.unique(channel.noise_BK)) == channel.noise_BK.size


def test_incoherent_images_have_gains_of_their_own():
    assert len(np.unique(draw(point_of(), images=500).fading_B1)) == 500


def test_perfect_csi_is_the_gain():
    channel = draw(point_of(csi="perfect"))
    assert np.array_equal(channel.csi_B1, channel.fading_B1)


def test_without_csi_nothing_is_handed_on():
    assert draw(point_of(csi="none")).csi_B1 is None


def test_mismatched_csi_is_off_by_the_variance_given():
    point = point_of(csi="mismatch", csi_error_variance=0.25)
    channel = draw(point, images=IMAGES, symbols=1)
    error = channel.csi_B1 - channel.fading_B1
    assert np.mean(np.abs(error) ** 2) == pytest.approx(0.25, rel=0.01)
    assert abs(np.mean(error * np.conj(channel.fading_B1))) < 0.005
    assert abs(np.mean(error * np.conj(channel.noise_BK))) < 0.005


def test_mismatch_of_no_variance_is_perfect():
    channel = draw(point_of(csi="mismatch", csi_error_variance=0.0))
    assert np.array_equal(channel.csi_B1, channel.fading_B1)


@pytest.mark.parametrize("model", ["rayleigh", "rician"])
def test_every_receiver_meets_the_same_channel(model):
    options = [
        {},
        {"equalizer": "mmse"},
        {"csi": "none"},
        {"csi": "mismatch", "csi_error_variance": 0.1},
        {"csi": "mismatch", "csi_error_variance": 0.5, "equalizer": "mmse"},
    ]
    drawn = [draw(point_of(model, **option)) for option in options]
    assert len({channel.fading_B1.tobytes() for channel in drawn}) == 1
    assert len({channel.noise_BK.tobytes() for channel in drawn}) == 1


@pytest.mark.parametrize(
    ("one", "other", "link"),
    [
        (point_of(), point_of(seed=8), "a"),
        (point_of(), point_of(snr_db=5.5), "a"),
        (point_of(), point_of("rician"), "a"),
        (point_of("rician"), point_of("rician", rician_k=5.0), "a"),
        (point_of(), point_of(coherence=2), "a"),
        (point_of(), point_of(), "b"),
    ],
)
def test_other_seed_link_or_point_is_independent(one, other, link):
    first, second = draw(one, images=20_000), draw(other, images=20_000, link=link)
    scale = np.sqrt(one.noise_power * other.noise_power)
    assert abs(np.mean(first.noise_BK * np.conj(second.noise_BK))) / scale < 0.015
    gains = [channel.fading_B1 - np.mean(channel.fading_B1) for channel in (first, second)]
    assert abs(np.mean(gains[0] * np.conj(gains[1]))) < 0.04


def test_fading_and_noise_of_an_image_are_independent():
    channel = draw(point_of(snr_db=0.0), images=IMAGES, symbols=1)
    assert abs(np.mean(channel.fading_B1 * np.conj(channel.noise_BK))) < 0.01


def test_draw_repeats_whatever_was_drawn_between():
    before = bits(draw(point_of("rician", csi="mismatch", csi_error_variance=0.1)))
    draw(point_of(seed=9), first=77, images=3)
    assert bits(draw(point_of("rician", csi="mismatch", csi_error_variance=0.1))) == before


def test_there_is_one_zero():
    """Equal points share their numbers, however their zero is signed and whoever asks first."""
    below, above = point_of(snr_db=-0.0), point_of(snr_db=0.0)
    assert below.key_text == above.key_text
    assert bits(draw(below)) == bits(draw(above))


def test_channel_state_and_noise_are_in_single_precision():
    channel = draw(point_of("rician", csi="mismatch", csi_error_variance=0.1))
    for part in (channel.fading_B1, channel.noise_BK, channel.csi_B1):
        assert part.dtype == np.complex64
    assert pass_through(codewords(10, 5), channel).dtype == np.complex64


def test_measured_snr_is_the_ratio_of_what_was_drawn():
    drawn = draw(point_of("rayleigh"), images=2, symbols=3)
    sent = codewords(2, 3)
    signal = np.mean(np.abs(drawn.fading_B1 * sent) ** 2)
    noise = np.mean(np.abs(drawn.noise_BK) ** 2)
    assert measured_snr_db(sent, drawn) == pytest.approx(10 * np.log10(signal / noise), abs=1e-4)
    assert measured_snr_db(2 * sent, drawn) == pytest.approx(
        measured_snr_db(sent, drawn) + 20 * np.log10(2), abs=1e-4
    )


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("snr_db", [-10.0, 3.0, 30.0])
def test_measured_snr_is_the_one_that_was_set(model: str, snr_db: float) -> None:
    channel = draw(point_of(model, snr_db=snr_db), images=20_000, symbols=2)
    measured_db = measured_snr_db(codewords(20_000, 2), channel)
    assert measured_db == pytest.approx(snr_db, abs=0.15)


def test_silence_has_no_snr() -> None:
    channel = draw(point_of("awgn"))
    assert measured_snr_db(np.zeros((10, 5), dtype=np.complex64), channel) is None


frames_of_all_kinds = st.builds(
    Codewords,
    point=st.builds(
        lambda csi, **others: point_of(**csi, **others),
        csi=st.sampled_from([{}, {"csi": "mismatch", "csi_error_variance": 0.1}, {"csi": "none"}]),
        model=st.sampled_from(MODELS),
        snr_db=st.sampled_from([-10.0, 3.0]),
        coherence=st.sampled_from([1, 3]),
    ),
    link=st.sampled_from(["a", "b"]),
    first_image=st.integers(0, 20),
    images=st.integers(1, 7),
)


@fuzz
@given(frames=st.lists(frames_of_all_kinds, min_size=1, max_size=6))
def test_frames_drawn_together_are_each_as_drawn_alone(frames):
    together = draw_channels(frames, symbols=5)
    first = 0
    for frame in frames:
        alone = draw(frame.point, first=frame.first_image, images=frame.images, link=frame.link)
        rows = slice(first, first + frame.images)
        assert together.fading_B1[rows].tobytes() == alone.fading_B1.tobytes()
        assert together.noise_BK[rows].tobytes() == alone.noise_BK.tobytes()
        assert frame.has_csi == (alone.csi_B1 is not None)
        if alone.csi_B1 is not None:
            assert together.csi_B1 is not None
            assert together.csi_B1[rows].tobytes() == alone.csi_B1.tobytes()
        first += frame.images
    assert first == len(together.noise_BK)
