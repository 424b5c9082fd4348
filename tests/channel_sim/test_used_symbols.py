"""Codewords of several lengths: what is not sent stays 0, and everything else is as ever."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from channel_sim.channels import Codewords
from channel_sim.passing import Passed, pass_frame, pass_frames
from channel_sim.sends import Arrived
from channel_sim.slots import Slots
from channel_sim.superposition import superpose
from semcom.channel_models import channel_of
from semcom.errors import ProtocolError
from semcom.frame_messages import ReceivedFrame, SymbolFrame
from semcom.points import ChannelSettings, PointSpec
from semcom.used_symbols import format_used
from semcom.wire import check_power, mean_power, power_while_sent
from tests.channel_sim.brokering import CODEC, RX, TX, broker_of, key_of, refused, send
from tests.channel_sim.meeting import group_of, held_of, symbols_of

K = 24
USED = np.array([8, 24, 16, 0], dtype=np.uint16)
CHANNELS = [
    ChannelSettings(),
    ChannelSettings(model="rayleigh", csi="mismatch", csi_error_variance=0.1),
    channel_of("tdl", {"profile": "tdl-b", "subcarriers": 16, "coherence": 3}),
]


def codewords(used: bytes = b"", *, channel: Any = CHANNELS[0], first: int = 0) -> Codewords:
    return Codewords(PointSpec(channel=channel, snr_db=7.0, seed=2), "a", first, len(USED), used)


def sentences(used_B=USED, symbols: int = K):
    """Codewords of unit power over what each of them uses."""
    phases = np.exp(1j * np.arange(len(used_B) * symbols)).reshape(len(used_B), symbols)
    return (phases * (np.arange(symbols) < used_B[:, None])).astype(np.complex64)


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.label)
def test_unused_symbols_are_zero_to_the_bit_and_the_others_as_in_a_whole_codeword(channel):
    stated = format_used(USED, K)
    passed = pass_frame(codewords(stated, channel=channel), sentences())
    whole = pass_frame(codewords(channel=channel), sentences())
    sent = np.arange(K) < USED[:, None]
    assert passed.received_BK[~sent].tobytes() == bytes(8 * int((~sent).sum()))
    assert passed.received_BK[sent].tobytes() == whole.received_BK[sent].tobytes()
    assert whole.received_BK[~sent].all()
    assert (passed.csi_BM is None) == (whole.csi_BM is None)
    if passed.csi_BM is not None:
        assert passed.csi_BM.tobytes() == whole.csi_BM.tobytes()


def test_measured_snr_is_that_of_the_used_symbols():
    symbols = sentences()
    passed = pass_frame(codewords(format_used(USED, K)), symbols)
    noise = passed.received_BK - symbols
    expected = 10 * np.log10(np.square(np.abs(symbols)).sum() / np.square(np.abs(noise)).sum())
    assert passed.snr_measured_db == pytest.approx(expected, abs=1e-3)
    alone = pass_frame(codewords(format_used(USED, K)), symbols)
    assert alone.snr_measured_db == passed.snr_measured_db


@pytest.mark.parametrize("channel", CHANNELS, ids=lambda channel: channel.label)
def test_frames_drawn_together_are_as_each_alone(channel):
    frames = [codewords(channel=channel), codewords(format_used(USED, K), channel=channel, first=4)]
    symbols = [sentences(np.full(4, K, np.uint16)), sentences()]
    together = np.concatenate(symbols)
    found = pass_frames(frames, together, mean_power(together))
    for frame, own, each in zip(frames, symbols, found, strict=True):
        alone = pass_frame(frame, own)
        assert isinstance(each, Passed)
        assert each.payload.tobytes() == alone.payload.tobytes()
        assert each.snr_measured_db == alone.snr_measured_db


def frame_of(used: bytes, frame: int = 0) -> SymbolFrame:
    return SymbolFrame(
        key=key_of(frame), first_image=4 * frame, images=4, symbols=K, codec=CODEC, used=used
    )


def test_broker_tells_the_receiver_what_is_used():
    broker, stated = broker_of(RX), format_used(USED, K)
    sent = send(broker, frame_of(stated), sentences())
    assert isinstance(sent.message, ReceivedFrame)
    assert sent.message.used == stated
    assert not sent.payload[0, 8:].any()
    plain = send(broker, frame_of(b"", 1), sentences())
    assert plain.message.used == b""
    assert plain.payload[0, 8:].all()


def test_power_is_limited_over_what_is_used():
    """A short codeword at the energy of a whole one has far more than unit power while it lasts."""
    stated, loud = format_used(USED, K), sentences()
    loud[0] *= 1.1  # still a mean of 0.4 over all symbols
    assert refused(broker_of(RX), frame_of(stated), loud) == "over_power"
    broker = broker_of(RX)
    batch = [Arrived(TX, frame_of(b"", 0), loud, 0.0), Arrived(TX, frame_of(stated, 1), loud, 0.0)]
    sides = {send.message.key.frame: send.side for send in broker.transmit(batch)}
    assert sides == {0: "downlink", 1: "uplink"}
    power = power_while_sent(mean_power(sentences()), USED, K)
    np.testing.assert_allclose(power, [1, 1, 1, 0], atol=1e-6)
    check_power(float(power.max()))


def test_power_of_whole_codewords_is_the_same_to_the_bit():
    power = mean_power(symbols_of("a", 3))
    all_used = np.full(len(power), 3, np.uint16)
    assert power_while_sent(power, all_used, 3).tobytes() == power.tobytes()


def test_repeat_of_a_member_s_frame_uses_the_same_symbols():
    payload = symbols_of("a", 0)
    payload[1, 1:] = 0
    stated = format_used(np.array([3, 1], np.uint16), 3)
    slots = Slots(group_of())
    assert slots.take(held_of("a", payload=payload, used=stated)) is None
    assert slots.take(held_of("a", payload=payload, used=stated)) is None
    with pytest.raises(ProtocolError, match="different content") as raised:
        slots.take(held_of("a", payload=payload))
    assert raised.value.reason == "conflict"


def test_codewords_of_several_lengths_are_not_superposed():
    members = [codewords(format_used(USED, K)), codewords()._replace(link="b")]
    with pytest.raises(ProtocolError, match="several lengths") as raised:
        superpose(group_of(), members, [sentences(), sentences()])
    assert raised.value.reason == "shape"
