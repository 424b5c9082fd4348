"""A stream with made-up links, and what its peers say to it; the clock is made by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from orchestrator.live.live_scenario import LiveScenario
from orchestrator.live.stream import Stream
from semcom.messages import FrameResult, Hello, PointTable, StreamAssignment, StreamState
from semcom.tasks import Task
from semcom.tasks.classification import Classification
from semcom.tasks.reconstruction import Reconstruction
from tests.orchestrator.ledgers import fake_link

LINK, OTHER = "shapes10", "shapes100"
RUN = "live.01234567"
INSTANCE, OTHER_INSTANCE = "0123456789abcdef", "fedcba9876543210"
CLASSES = Classification(classes=10)
PICTURES = Reconstruction(shape=(32, 32, 3))
STEPS = {"kind": "steps", "snr_db": [10.0, 0.0], "hold_s": 10}


def stream_of(*links: str, tasks: Mapping[str, Task] | None = None, **settings: Any) -> Stream:
    """Links of these names; `tasks` by link, classification where none is given."""
    names = links or (LINK,)
    content = {
        "name": "live",
        "mode": "live",
        "links": {
            name: {"dataset": name, "codec": name, "frame_images": 10, "course": STEPS, **settings}
            for name in names
        },
    }
    scenario = LiveScenario.model_validate(content)
    planned = {name: fake_link(name, images=25) for name in names}
    by_codec = {planned[name].codecs[0].digest: (tasks or {}).get(name, CLASSES) for name in names}
    return Stream(scenario, planned, run=RUN, now_s=0.0, tasks=by_codec)


def receiver_greets(
    stream: Stream, *codecs: str, peer: str = "receiver-1", instance: str = INSTANCE
) -> list[Any]:
    loaded = codecs or tuple(link.codec.digest for link in stream.links.values())
    return stream.hello(Hello(role="receiver", peer=peer, instance=instance, codecs=list(loaded)))


class Channel:
    """A channel that learns what it is told."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.points: dict[int, float] = {}
        self.lowest = 0

    def learn(self, messages: list[Any]) -> None:
        for message in messages:
            assert isinstance(message, PointTable)
            self.lowest = max(self.lowest, message.lowest)
            for point, spec in enumerate(message.points, start=message.first):
                self.points[point] = spec.snr_db
        self.points = {p: snr for p, snr in self.points.items() if p >= self.lowest}

    def greet(self) -> list[Any]:
        known = self.lowest + len(self.points)
        run = RUN if known else None
        hello = Hello(role="channel", peer="channel", instance=INSTANCE, run=run, points=known)
        answers = self._stream.hello(hello)
        self.learn(answers)
        return answers

    def tick(self, now_s: float) -> None:
        """Time goes on; the channel hears of new points and says so."""
        self.learn([order.message for order in self._stream.tick(now_s)])
        self.greet()


def transmitter_greets(
    stream: Stream,
    held: StreamAssignment | None = None,
    *,
    link: str = LINK,
    instance: str = INSTANCE,
    **counts: int,
) -> StreamAssignment | None:
    """A transmitter that does what it was told says hello; what it is told now."""
    state = None
    if held is not None:
        numbers = {"offered": 0, "shed": 0, "unrecorded": 0, "in_flight": 0, "refusals": 0}
        state = StreamState(
            run=held.run, epoch=held.epoch, point=held.point,
            oldest=counts.pop("oldest", held.point), paused=held.paused, **{**numbers, **counts},
        )  # fmt: skip
    hello = Hello(role="transmitter", peer=link, instance=instance, stream=state)
    answers = stream.hello(hello)
    assert len(answers) <= 1
    return answers[0] if answers else None


def streaming(stream: Stream, *, link: str = LINK) -> tuple[Channel, StreamAssignment]:
    """Everybody is there, and the link streams."""
    channel = Channel(stream)
    receiver_greets(stream)
    assert transmitter_greets(stream, link=link) is None, "the channel knows no point yet"
    channel.tick(0.0)
    told = transmitter_greets(stream, link=link)
    assert told is not None
    return channel, told


def result_of(told: StreamAssignment, frame: int, **changed: Any) -> FrameResult:
    images = min(10, 25 - (frame % 3) * 10)
    fields: dict[str, Any] = {
        "point": told.point, "frame": frame, "images": images,
        "score": {"items": images, "correct": 1}, "answer": bytes(2 * images),
        "attempts": 1, "encode_ms": 1.0, "channel_ms": 1.0, "batch_wait_ms": 1.0,
        "decode_ms": 1.0, "round_trip_ms": 20.0,
    }  # fmt: skip
    return FrameResult(**{**fields, **changed})


def pictures_of(told: StreamAssignment, frame: int, *, psnr_db: float) -> FrameResult:
    """A frame of images that came back, each with this PSNR."""
    images = min(10, 25 - (frame % 3) * 10)
    steps = {"psnr": round(psnr_db * 2**16), "ssim": round(0.9 * 2**24), "mse": 100 * 2**8}
    sums = {name: images * step for name, step in steps.items()}
    squares = {f"{name}_squares": images * step * step for name, step in steps.items()}
    score = {"items": images, **sums, **squares}
    return result_of(told, frame, score=score, answer=bytes(32))


def record(stream: Stream, told: StreamAssignment, *frames: int, now_s: float = 1.0) -> int:
    results = [result_of(told, frame) for frame in frames]
    return stream.results(LINK, told.codec_digest, results, now_s=now_s)


def status_of(stream: Stream, now_s: float = 2.0) -> dict[str, Any]:
    """The status as it is told over HTTP."""
    links = json.loads(json.dumps(stream.status(now_s, heard=list(stream.links))))
    return {
        "name": "live", "run": RUN, "phase": "streaming", "uptime_s": now_s, "window_s": 10.0,
        "links": links, "processes": [], "sweep": None, "jobs": [], "codecs": [],
        "models": ["awgn"], "model_settings": {"awgn": []}, "snr_bounds_db": [-30, 60],
    }  # fmt: skip
