"""A broker that knows a run, and what transmitters and receivers say to it."""

from __future__ import annotations

from typing import Any

import numpy as np

from channel_sim.broker import Broker
from channel_sim.sends import Arrived, Send
from semcom.frame_messages import FrameKey, SymbolFrame, TaskResult
from semcom.messages import Hello, PointTable, Refusal, Welcome
from semcom.points import ChannelSettings, PointSpec

INSTANCE = "0123456789abcdef"
CODEC, OTHER_CODEC = "ab" * 32, "cd" * 32
POINTS = [
    PointSpec(channel=ChannelSettings(model="awgn"), snr_db=5.0),
    PointSpec(channel=ChannelSettings(model="rayleigh", equalizer="mmse"), snr_db=10.0, seed=3),
    PointSpec(channel=ChannelSettings(model="rayleigh", csi="none"), snr_db=10.0, seed=3),
]
TX, RX = b"transmitter", b"receiver"
SYMBOLS = np.exp(1j * np.arange(6)).astype(np.complex64).reshape(2, 3)


def broker_of(*receivers: bytes, queue_frames: int = 100, **options: Any) -> Broker:
    """A broker that knows the points of `demo`, with receivers that have the codec."""
    broker = Broker(INSTANCE, dead_after_s=3.0, queue_frames=queue_frames, **options)
    broker.points.learn(PointTable(run="demo", total=len(POINTS), first=0, points=POINTS))
    for identity in receivers:
        greet(broker, identity)
    return broker


def greet(
    broker: Broker, identity: bytes, *codecs: str, now_s: float = 0.0, peer: str = "receiver-1"
) -> None:
    """A receiver says hello."""
    hello = Hello(role="receiver", peer=peer, instance=INSTANCE, codecs=list(codecs or (CODEC,)))
    assert broker.on_downlink(identity, hello, now_s=now_s) == [
        Send("downlink", identity, Welcome(instance=INSTANCE))
    ]


def key_of(frame: int = 0, *, link: str = "cifar10", point: int = 0, run: str = "demo") -> FrameKey:
    return FrameKey(run=run, point=point, link=link, frame=frame)


def frame_of(frame: int = 0, *, codec: str = CODEC, **key: Any) -> SymbolFrame:
    return SymbolFrame(
        key=key_of(frame, **key), first_image=2 * frame, images=2, symbols=3, codec=codec
    )


def result_of(frame: int = 0, **key: Any) -> TaskResult:
    return TaskResult(
        key=key_of(frame, **key),
        codec=CODEC,
        channel_ms=0,
        batch_wait_ms=0,
        decode_ms=0,
    )


def send(
    broker: Broker, frame: SymbolFrame, symbols: Any = SYMBOLS, *, by: bytes = TX, now_s: float = 0
) -> Send:
    """The one thing that comes of a frame."""
    (sent,) = broker.transmit([Arrived(by, frame, symbols, now_s)])
    return sent


def refused(broker: Broker, frame: SymbolFrame, symbols: Any = SYMBOLS) -> str:
    """Why a frame is refused; the refusal goes to its sender and names the frame."""
    sent = send(broker, frame, symbols)
    assert (sent.side, sent.to) == ("uplink", TX)
    assert isinstance(sent.message, Refusal)
    assert sent.message.key == frame.key
    assert sent.message.detail
    return sent.message.reason


def held(broker: Broker) -> dict[bytes, int]:
    """How many frames each receiver holds."""
    return {identity: len(receiver.held) for identity, receiver in broker.receivers.items()}
