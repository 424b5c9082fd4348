"""Frames through channels of packages, beside ours: the same numbers alone and in company."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from channel_sim import passing
from channel_sim.channels import Codewords, draw_channel, pass_through
from channel_sim.models.model import ChannelModel, Streams
from channel_sim.noise import complex_normals_of
from channel_sim.passing import Passed, pass_frame, pass_frames
from channel_sim.sends import Arrived
from semcom.channel_models import channel_of
from semcom.errors import ProtocolError
from semcom.frame_messages import ReceivedFrame
from semcom.messages import PointTable, Refusal
from semcom.points import ChannelSettings, PluginChannel, PointSpec
from semcom.wire import mean_power
from tests.channel_sim.brokering import RX, TX, broker_of, frame_of, held
from tests.properties import examples

SYMBOLS = 20
CHANNELS = [
    ChannelSettings(),
    ChannelSettings(model="rayleigh", csi="mismatch", csi_error_variance=0.1),
    channel_of("jakes", {"doppler": 0.1}),
    channel_of("tdl", {"profile": "tdl-b", "subcarriers": 16, "coherence": 3}),
    channel_of("tdl", {"delay_spread_ns": 3000, "cyclic_prefix": 0, "csi": "none"}),
    channel_of("clipping", {"papr_db": 1}),
    channel_of("oscillator", {"phase_noise_std": 0.1, "csi": "perfect"}),
]
COLUMNS = [0, 1, 1, SYMBOLS, 0, 0, SYMBOLS]


def codewords(channel: Any, *, first: int = 0, images: int = 4, link: str = "a") -> Codewords:
    return Codewords(PointSpec(channel=channel, snr_db=7.0, seed=2), link, first, images)


def symbols_of(images: int, first: int = 0) -> np.ndarray:
    rows = np.arange(first, first + images)[:, None] + np.arange(SYMBOLS)
    return np.exp(1j * rows).astype(np.complex64)


def together(frames: list[Codewords]) -> list[Passed | ProtocolError]:
    symbols = np.concatenate([symbols_of(each.images, each.first_image) for each in frames])
    return pass_frames(frames, symbols, mean_power(symbols))


def bits(passed: Passed | ProtocolError) -> tuple[bytes, str, float | None]:
    assert isinstance(passed, Passed)
    return passed.payload.tobytes(), passed.equalizer, passed.snr_measured_db


@examples(25)
@given(
    frames=st.lists(
        st.builds(
            codewords,
            st.sampled_from(CHANNELS),
            first=st.integers(0, 30),
            images=st.integers(1, 5),
            link=st.sampled_from(["a", "b"]),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_company_changes_no_bit(frames):
    for frame, passed in zip(frames, together(frames), strict=True):
        alone = pass_frame(frame, symbols_of(frame.images, frame.first_image))
        assert bits(passed)[:2] == bits(alone)[:2]
        assert passed.snr_measured_db == pytest.approx(alone.snr_measured_db, abs=1e-4)


@pytest.mark.parametrize(("channel", "columns"), list(zip(CHANNELS, COLUMNS, strict=True)))
def test_receiver_is_told_as_many_columns_as_the_model_says(channel, columns):
    passed = pass_frame(codewords(channel), symbols_of(4))
    assert passed.csi_columns == columns
    assert passed.payload.shape == (4, columns + SYMBOLS)


@pytest.mark.parametrize("channel", CHANNELS[:2])
def test_ours_are_as_they_were(channel):
    frame = codewords(channel)
    draw = draw_channel(frame.point, link="a", first_image=0, images=4, symbols=SYMBOLS)
    passed = pass_frame(frame, symbols_of(4))
    assert np.array_equal(passed.received_BK, pass_through(symbols_of(4), draw))
    if draw.csi_B1 is not None:
        assert np.array_equal(passed.csi_BM, draw.csi_B1)


def test_noise_is_added_to_what_the_model_makes_of_the_symbols():
    frame = codewords(CHANNELS[5])
    passed = pass_frame(frame, symbols_of(4))
    noise = passed.received_BK - symbols_of(4)  # of one power each: nothing is clipped
    drawn = complex_normals_of([frame.items("noise")], per_item=SYMBOLS)
    assert np.allclose(noise, drawn * np.float32(np.sqrt(frame.point.noise_power)), atol=1e-6)


class Bad(ChannelModel):
    """Wrong in one way."""

    def draw(self, streams: Streams, *, symbols: int) -> None: ...
    def apply(self, symbols_BK, state):
        return symbols_BK

    def gains(self, state):
        return None


class Raises(Bad):
    def draw(self, streams, *, symbols):
        raise KeyError("of the package\nand more")


class TakesNoise(Bad):
    def draw(self, streams, *, symbols):
        streams.normals("noise", per_item=symbols)


class LosesSymbols(Bad):
    def apply(self, symbols_BK, state):
        return symbols_BK[:, 1:]


class MakesNan(Bad):
    def apply(self, symbols_BK, state):
        symbols_BK[0, 0] = np.nan
        return symbols_BK


class MakesPower(Bad):
    def apply(self, symbols_BK, state):
        return symbols_BK * np.float32(1e18)


class FlatGains(Bad):
    def gains(self, state):
        return np.ones(4, dtype=np.complex64)


class NanGains(Bad):
    def gains(self, state):
        return np.full((4, 2), np.nan, dtype=np.complex64)


class WideGains(Bad):
    def gains(self, state):
        return np.ones((4, 4097), dtype=np.complex64)


class OtherEqualizer(Bad):
    equalizer: str = "magic"


class NoSymbols(Bad):
    def apply(self, symbols_BK, state):
        return None


MINE = PluginChannel(model="mine", settings={})
WRONG = [
    (Raises, "KeyError: 'of the package"),
    (TakesNoise, "purpose noise is reserved for the additive noise"),
    (LosesSymbols, "symbols of shape (4, 19), not (4, 20)"),
    (MakesNan, "symbols that are not finite"),
    (MakesPower, "symbols that are not finite, or of a power above 1e+09"),
    (FlatGains, "channel state of shape (4,)"),
    (NanGains, "channel state that is not finite"),
    (WideGains, "channel state of shape (4, 4097)"),
    (OtherEqualizer, "equalizer 'magic'; available: zero_forcing, mmse"),
    (NoSymbols, "symbols of shape (1,), not (4, 20)"),
]


@pytest.fixture
def mine(monkeypatch):
    """Makes a class the model `mine`."""

    def use(model: type[ChannelModel]) -> None:
        monkeypatch.setattr(
            passing, "loaded", lambda channel: model() if channel == MINE else loaded(channel)
        )

    loaded = passing.loaded
    return use


@pytest.mark.parametrize(("model", "expected"), WRONG, ids=[model.__name__ for model, _ in WRONG])
def test_model_that_does_wrong_refuses_its_frame_in_one_line_and_no_other(mine, model, expected):
    mine(model)
    frames = [codewords(CHANNELS[1]), codewords(MINE), codewords(CHANNELS[2])]
    first, error, last = together(frames)
    assert isinstance(error, ProtocolError)
    assert error.reason == "internal"
    assert error.detail.startswith("channel model mine fails: ")
    assert expected in error.detail
    assert "\n" not in error.detail
    for frame, passed in ((frames[0], first), (frames[2], last)):
        assert bits(passed)[:2] == bits(pass_frame(frame, symbols_of(4)))[:2]
    with pytest.raises(ProtocolError, match="channel model mine"):
        pass_frame(frames[1], symbols_of(4))


def test_model_that_is_not_installed_here_is_named():
    (error,) = together([codewords(PluginChannel(model="theirs", settings={}))])
    assert isinstance(error, ProtocolError)
    assert error.reason == "internal"
    assert "no channel model 'theirs' is installed" in error.detail


def test_channel_state_that_has_no_room_in_a_message_says_what_to_do(mine):
    class Wide(Bad):
        def gains(self, state):
            return np.ones((1024, 4096), dtype=np.complex64)

    mine(Wide)
    frame = codewords(MINE, images=1024)
    with pytest.raises(ProtocolError, match=r"shape: .*do not fit into one message; lower frame"):
        pass_frame(frame, symbols_of(1024))


def broker_at(channel: PluginChannel):
    broker = broker_of(RX)
    point = PointSpec(channel=channel, snr_db=5.0)
    broker.points.learn(PointTable(run="mine", total=1, first=0, points=[point]))
    return broker, point


def test_broker_sends_on_what_a_model_made_with_its_columns_and_equalizer():
    channel = channel_of("tdl", {"equalizer": "mmse", "profile": "tdl-a"})
    broker, point = broker_at(channel)
    symbols = symbols_of(2)
    frame = replace(frame_of(run="mine"), symbols=SYMBOLS)
    (sent,) = broker.transmit([Arrived(TX, frame, symbols, 0.0)])
    assert isinstance(sent.message, ReceivedFrame)
    assert (sent.message.csi_columns, sent.message.equalizer) == (SYMBOLS, "mmse")
    expected = pass_frame(Codewords(point, "cifar10", 0, 2), symbols)
    assert np.array_equal(sent.payload, expected.payload)


def test_broker_refuses_what_a_model_cannot_do_and_blames_no_receiver():
    broker, _ = broker_at(PluginChannel(model="theirs", settings={}))
    (sent,) = broker.transmit([Arrived(TX, frame_of(run="mine"), symbols_of(2)[:, :3], 0.0)])
    assert (sent.side, sent.to) == ("uplink", TX)
    assert isinstance(sent.message, Refusal)
    assert sent.message.reason == "internal"
    assert sent.message.key == frame_of(run="mine").key
    assert held(broker) == {RX: 0}
    assert broker.resting(0.0) == 0
    assert broker.take_rests() == []
