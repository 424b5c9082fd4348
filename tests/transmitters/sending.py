"""A sender, its assignments and what comes back, with a clock made by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from semcom.frame_messages import FrameKey, TaskResult
from semcom.messages import Assignment, Refusal
from semcom.points import PointSpec
from transmitters.frame_plan import Encoded, FramePlan
from transmitters.sender import RESULTS_BYTES, InFlight, Judged, Sender

CODEC, OTHER_CODEC = "ab" * 32, "cd" * 32
LINK = "cifar10"
FRAME_BYTES = 2 * 3 * 8


def assignment(*spans: tuple[int, int], **changed: Any) -> Assignment:
    """Frames of two images; the last of the five frames of a point has one."""
    fields: dict[str, Any] = {
        "run": "demo",
        "point": 0,
        "spec": PointSpec(snr_db=5.0),
        "dataset": "cifar10",
        "dataset_digest": CODEC,
        "codec": "codec-1",
        "codec_digest": CODEC,
        "images": 9,
        "frame_images": 2,
        "window": 3,
        "encode_once": True,
        "frames": list(spans) or [(0, 5)],
    }
    return Assignment(**{**fields, **changed})


def sender_of(
    *assigned: Assignment, window_bytes: int = 1 << 20, results_bytes: int = RESULTS_BYTES
) -> Sender:
    sender = Sender(LINK, window_bytes=window_bytes, results_bytes=results_bytes)
    for each in assigned:
        sender.assign(each)
    return sender


def encode(sender: Sender, plan: FramePlan, now_s: float = 0.0) -> InFlight:
    """The frame is encoded and sent."""
    symbols_BK = np.full((plan.images, 3), plan.frame, dtype=np.complex64)
    return sender.encoded(Encoded(plan, symbols_BK, encode_ms=2.0), now_s=now_s)


def fly(sender: Sender, now_s: float = 0.0) -> list[InFlight]:
    """Everything the window has room for is encoded and sent."""
    return [encode(sender, plan, now_s) for plan in sender.frames_to_encode()]


def result_of(frame: int, **changed: Any) -> TaskResult:
    key = {"run": "demo", "point": 0, "link": LINK, "frame": frame}
    codec = changed.pop("codec", CODEC)
    return TaskResult(
        key=FrameKey(**{**key, **changed}),
        codec=codec,
        channel_ms=3.0,
        batch_wait_ms=4.0,
        decode_ms=5.0,
    )


def refusal_of(frame: int, reason: str = "no_receiver", **changed: Any) -> Refusal:
    key = {"run": "demo", "point": 0, "link": LINK, "frame": frame}
    return Refusal.model_validate(
        {"reason": reason, "detail": "not now", "key": FrameKey(**{**key, **changed})}
    )


def answer_of(label: int = 1, images: int = 2) -> bytes:
    """An answer of one class for all images."""
    return np.full(images, label, dtype="<u2").tobytes()


def finish(
    sender: Sender,
    frame: int,
    *,
    now_s: float = 0.0,
    images: int = 2,
    answer: int = 1,
    **changed: Any,
) -> None:
    """The frame is answered and judged."""
    result, said = result_of(frame, **changed), answer_of(answer, images)
    flight = sender.answered(result, said, now_s=now_s)
    assert flight is not None
    sender.finished(flight, result, Judged({"items": images, "correct": 1}, said), now_s)


def resent(sender: Sender, now_s: float) -> list[int]:
    return [flight.plan.frame for flight in sender.frames_to_resend(now_s)]


def reported(sender: Sender, now_s: float) -> list[int]:
    return [r.frame for message in sender.reports.due(now_s) for r in message.results]
