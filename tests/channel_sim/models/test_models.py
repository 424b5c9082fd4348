"""Channel models against what theory says of them."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from channel_sim.models.clipping import ClippingChannel
from channel_sim.models.jakes import JakesChannel
from channel_sim.models.model import ChannelModel, Streams
from channel_sim.models.oscillator import OscillatorChannel
from channel_sim.models.tdl import TdlChannel
from channel_sim.models.tdl_profiles import PROFILES
from channel_sim.models.trace import TraceChannel, read_trace
from semcom.errors import ConfigurationError
from tests.properties import examples


def streams(first: int = 0, items: int = 1000, seed: int = 0, link: str = "a") -> Streams:
    return Streams(seed=seed, link=link, point="p", first_item=first, items=items)


def qpsk(items: int, symbols: int, seed: int = 1):
    bits = np.random.default_rng(seed).integers(0, 2, (2, items, symbols)) * 2 - 1
    return ((bits[0] + 1j * bits[1]) / math.sqrt(2)).astype(np.complex64)


MODELS = [
    JakesChannel(doppler=0.03),
    OscillatorChannel(cfo=0.01, phase_noise_std=0.1),
    ClippingChannel(papr_db=1.0),
    TdlChannel(delay_spread_ns=1000, coherence=3),
    TdlChannel(profile="tdl-c", delay_spread_ns=2000, cyclic_prefix=0),
]


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
@examples(15)
@given(first=st.integers(0, 40), items=st.integers(1, 9))
def test_any_range_of_items_is_drawn_as_with_all_others(model: ChannelModel, first, items):
    symbols = qpsk(50, 70)
    whole = model.apply(symbols, model.draw(streams(0, 50), symbols=70))
    part = model.apply(
        symbols[first : first + items], model.draw(streams(first, items), symbols=70)
    )
    assert np.array_equal(part, whole[first : first + items])


@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_receiver_is_told_gains_or_nothing(model: ChannelModel):
    state = model.draw(streams(items=4), symbols=10)
    csi = model.csi_of(state)
    if model.csi == "none":
        assert csi is None
    else:
        assert csi is not None
        assert (csi.dtype, csi.shape[0], csi.shape[1] in (1, 10)) == (np.complex64, 4, True)


def j0(x: np.ndarray) -> np.ndarray:
    angles = (np.arange(4000) + 0.5) * np.pi / 4000
    return np.cos(np.outer(x, np.sin(angles))).mean(axis=1)


def test_jakes_autocorrelation_is_the_bessel_function():
    model, lags = JakesChannel(doppler=0.02), np.arange(0, 60, 5)
    links = [model.draw(streams(items=400, link=f"l{i}"), symbols=1)[:, 0] for i in range(300)]
    gains = np.array(links, dtype=np.complex128)
    found = [np.mean(gains[:, lag:] * gains[:, : 400 - lag].conj()).real for lag in lags]
    assert np.allclose(found, j0(2 * np.pi * 0.02 * lags), atol=0.05)
    power = np.abs(gains[:, 0]) ** 2
    assert np.mean(power) == pytest.approx(1.0, abs=0.15)
    assert np.mean(power < 0.5) == pytest.approx(1 - math.exp(-0.5), abs=0.1)  # Rayleigh


def test_carrier_offset_turns_at_its_rate():
    model = OscillatorChannel(cfo=0.125)
    ones = np.ones((1, 9), dtype=np.complex64)
    received = model.apply(ones, model.draw(streams(items=1), symbols=9))[0]
    assert np.allclose(received, np.exp(2j * np.pi * np.arange(9) / 8), atol=1e-6)


def test_phase_noise_is_a_random_walk():
    model = OscillatorChannel(phase_noise_std=0.05)
    phases = np.angle(model.draw(streams(items=20_000), symbols=26))
    assert np.all(phases[:, 0] == 0)
    for k in (1, 10, 25):
        assert np.std(phases[:, k]) == pytest.approx(0.05 * math.sqrt(k), rel=0.03)


def test_clipping_limits_peaks_and_keeps_phases():
    rng = np.random.default_rng(0)
    symbols = (rng.normal(size=(50, 64)) + 1j * rng.normal(size=(50, 64))).astype(np.complex64)
    clipped = ClippingChannel(papr_db=2.0).apply(symbols, None)
    limit = 10**0.2 * (np.abs(symbols) ** 2).mean(axis=1, keepdims=True)
    assert np.all(np.abs(clipped) ** 2 <= limit * 1.0001)
    assert np.allclose(np.angle(clipped), np.angle(symbols), atol=1e-5)
    untouched = np.abs(symbols) ** 2 <= limit
    assert np.array_equal(clipped[untouched], symbols[untouched])
    # Of Gaussian symbols the share above the limit is exp(-10^(papr/10)).
    assert np.mean(~untouched) == pytest.approx(math.exp(-(10**0.2)), abs=0.02)


def test_clipping_of_silence_is_silence():
    assert not ClippingChannel().apply(np.zeros((2, 5), np.complex64), None).any()


@pytest.mark.parametrize("profile", ["exponential", *PROFILES])
def test_mean_power_of_multipath_is_one(profile):
    model = TdlChannel(profile=profile, delay_spread_ns=500)
    state = model.draw(streams(items=4000), symbols=64)
    assert model.taps.powers_L.sum() == pytest.approx(1.0)
    power = np.abs(model.gains(state)) ** 2
    assert power.mean() == pytest.approx(1.0, abs=0.06)


def test_line_of_sight_of_tdl_d_has_its_share():
    taps = TdlChannel(profile="tdl-d", delay_spread_ns=1).taps  # all paths in one sample
    mean_gain = math.sqrt(taps.line_of_sight)
    state = TdlChannel(profile="tdl-d", delay_spread_ns=1).draw(streams(items=5000), symbols=1)
    assert np.mean(state.gains_BL) == pytest.approx(mean_gain, abs=0.02)


def test_delay_spread_of_the_exponential_profile():
    model = TdlChannel(delay_spread_ns=3000, subcarriers=256, spacing_khz=15)
    taps = model.taps
    mean = (taps.powers_L * taps.delays_L).sum()
    spread = math.sqrt((taps.powers_L * (taps.delays_L - mean) ** 2).sum()) * model.sample_ns
    assert spread == pytest.approx(3000, rel=0.05)


def test_prefix_longer_than_the_delays_leaves_no_interference():
    model = TdlChannel(delay_spread_ns=2000, cyclic_prefix=16)
    assert model.taps.delays_L[-1] <= 16
    symbols, state = qpsk(20, 150), model.draw(streams(items=20), symbols=150)
    through_time = model.through_time(symbols, state)
    assert np.allclose(through_time, model.gains(state) * symbols, atol=2e-6)
    assert np.allclose(model.apply(symbols, state), through_time, atol=2e-6)


def test_short_prefix_interferes():
    model = TdlChannel(delay_spread_ns=2000, cyclic_prefix=0)
    symbols, state = qpsk(200, 128), model.draw(streams(items=200), symbols=128)
    error = model.apply(symbols, state) - model.gains(state) * symbols
    # Of a path that comes d samples late, d of N samples hold another symbol, d lack its own.
    taps = model.taps
    share = 2 * (taps.powers_L * taps.delays_L).sum() / model.subcarriers
    last = np.abs(error[:, 64:]) ** 2  # the first OFDM symbol comes after silence
    assert last.mean() == pytest.approx(share, rel=0.1)


def test_error_rate_of_qpsk_over_a_known_tap():
    """Zero forcing over Rayleigh: P_b = (1 - sqrt(g / (1 + g))) / 2 with g = Eb/N0."""
    model, snr = TdlChannel(delay_spread_ns=1), 10.0
    sent = qpsk(4000, 64)
    state = model.draw(streams(items=4000), symbols=64)
    noise = streams(items=4000).normals("added", per_item=64) * np.float32(math.sqrt(1 / snr))
    equalized = (model.apply(sent, state) + noise) / model.gains(state)
    wrong = np.mean(np.sign(equalized.real) != np.sign(sent.real))
    per_bit = snr / 2
    assert wrong == pytest.approx((1 - math.sqrt(per_bit / (1 + per_bit))) / 2, rel=0.05)


@pytest.mark.parametrize(
    ("settings_of", "words"),
    [
        ({"cyclic_prefix": 65}, "longer than the OFDM symbol"),
        ({"delay_spread_ns": 50_000}, "more subcarriers"),
        ({"profile": "tdl-f"}, "tdl-a"),
    ],
)
def test_multipath_that_cannot_be_is_refused(settings_of, words):
    with pytest.raises(ValidationError, match=words):
        TdlChannel(**settings_of)


def test_example_of_the_page_runs():
    page = (Path(__file__).resolve().parents[3] / "docs" / "channels.md").read_text()
    example = page.split("```python")[1].split("```")[0]
    found: dict[str, object] = {}
    exec(compile(example, "docs/channels.md", "exec"), found)
    assert found["received_BK"].shape == found["csi_BK"].shape == (4, 51)


def written_trace(folder, name: str, content: bytes) -> dict[str, object]:
    (folder / name).write_bytes(content)
    return {"file": folder / name, "sha256": hashlib.sha256(content).hexdigest()}


def test_trace_is_repeated_from_its_start(tmp_path):
    content = b"\xef\xbb\xbfre,im\r\n1,0\r\n0,2\r\n-3,0\r\n"
    trace = TraceChannel(**written_trace(tmp_path, "t.csv", content), unit_power=False)
    state = trace.draw(streams(first=2, items=4), symbols=5)
    assert state[:, 0].tolist() == [-3, 1, 2j, -3]
    scaled = TraceChannel(**written_trace(tmp_path, "t.csv", content))
    power = np.abs(scaled.draw(streams(items=3), symbols=5)) ** 2
    assert power.mean() == pytest.approx(1.0, abs=1e-6)


def test_recording_in_sigmf_is_read(tmp_path):
    data = np.array([1 + 1j, 2 - 1j], dtype="<c8").tobytes()
    (tmp_path / "r.sigmf-data").write_bytes(data)
    meta = tmp_path / "r.sigmf-meta"
    meta.write_text(json.dumps({"global": {"core:datatype": "cf32_le"}}))
    trace = TraceChannel(file=meta, sha256=hashlib.sha256(data).hexdigest(), unit_power=False)
    assert trace.draw(streams(items=2), symbols=1)[:, 0].tolist() == [1 + 1j, 2 - 1j]
    meta.write_text(json.dumps({"global": {"core:datatype": "ci16_le"}}))
    read_trace.cache_clear()
    with pytest.raises(ConfigurationError, match="cf32_le"):
        TraceChannel(file=meta, sha256=hashlib.sha256(data).hexdigest(), unit_power=True).draw(
            streams(seed=1), symbols=1
        )


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"re,im\n1,0\n1;2\n", "row 3"),
        (b"1,0\nnan,1\n", "not finite"),
        (b"re,im\n", "no gains"),
        (b"0,0\n", "only zeros"),
        (b"\xff\xfe1,0", "not CSV"),
    ],
)
def test_file_that_is_no_trace_is_one_line(tmp_path, content, words):
    trace = TraceChannel(**written_trace(tmp_path, "t.csv", content))
    with pytest.raises(ConfigurationError, match=words) as refused:
        trace.draw(streams(), symbols=1)
    assert "\n" not in str(refused.value)


def test_other_file_under_the_same_name_is_refused(tmp_path):
    trace = TraceChannel(**written_trace(tmp_path, "t.csv", b"1,0\n"))
    (tmp_path / "t.csv").write_bytes(b"2,0\n")
    with pytest.raises(ConfigurationError, match="SHA-256"):
        trace.draw(streams(), symbols=1)
