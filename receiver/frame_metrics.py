"""Metrics of frames, collected while they pass and shown once nothing waits for them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from receiver.decoding import Decoded
from semcom.frame_messages import TaskResult
from semcom.telemetry import Telemetry


class FrameMetrics:
    """Counts and durations since the last call of `show_arrived`."""

    def __init__(self, telemetry: Telemetry) -> None:
        """Show metrics by `telemetry`."""
        self._telemetry = telemetry
        self._received: Counter[str] = Counter()  # by link
        self._duplicate: Counter[str] = Counter()
        self._waited_s: list[float] = []

    def arrived(self, link: str, waited_s: float, *, duplicate: bool) -> None:
        """Note a frame that waited in the downlink; a duplicate waits to be decoded already."""
        self._received[link] += 1
        if duplicate:
            self._duplicate[link] += 1
        self._waited_s.append(waited_s)

    def show_arrived(self) -> None:
        """Show what was noted."""
        for name, counts in (
            ("semcom_frames_received_total", self._received),
            ("semcom_frames_duplicate_total", self._duplicate),
        ):
            for link, count in counts.items():
                self._telemetry.count(name, count, link)
            counts.clear()
        for waited_s in self._waited_s:
            self._telemetry.observe("semcom_stage_seconds", waited_s, "downlink_queue")
        self._waited_s.clear()

    def show_answered(self, decoded: Sequence[Decoded]) -> None:
        """Show the answers of a forward pass."""
        images: Counter[str] = Counter()
        passes_ms: Counter[float] = Counter()  # frames of a pass have one duration
        for each in decoded:
            result = each.result
            if not isinstance(result, TaskResult):
                self._telemetry.count("semcom_messages_refused_total", 1, result.reason)
                continue
            images[result.key.link] += each.images
            passes_ms[result.decode_ms] += 1
            waited_s = result.batch_wait_ms / 1e3
            self._telemetry.observe("semcom_stage_seconds", waited_s, "batch_wait")
        for decode_ms, count in passes_ms.items():
            self._telemetry.observe("semcom_stage_seconds", decode_ms / 1e3, "decode", times=count)
        for link, count in images.items():
            self._telemetry.count("semcom_images_decoded_total", count, link)
