"""A superposed frame that lacks a link: the others are answered, and are told who was absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from receiver.batcher import Waiting
from receiver.decoding import FrameDecoder
from receiver.settings import ReceiverSettings
from semcom.frame_messages import FrameKey, ReceivedFrame, TaskResult
from tests.semcom.families.semnoma_codec import make_codec

IMAGES, SYMBOLS = 2, 72


def test_absent_link_is_not_answered_and_the_others_as_always(tmp_path: Path) -> None:
    codec = make_codec(tmp_path / "codecs" / "pair", users=2)
    settings = ReceiverSettings(downlink="tcp://127.0.0.1:1", codec_dir=tmp_path / "codecs")
    decoder = FrameDecoder(settings)
    decoder.load("pair")
    rng = np.random.default_rng(1)
    received = rng.normal(size=(IMAGES, 2 + SYMBOLS, 2)).astype(np.float32)
    payload = received.view(np.complex64)[..., 0]

    def answers(*absent: str) -> dict[str, bytes]:
        first = "b" if "a" in absent else "a"
        frame = ReceivedFrame(
            key=FrameKey(run="r", point=0, link=first, frame=0), images=IMAGES, symbols=SYMBOLS,
            codec=codec.digest, csi_columns=2, snr_db=10.0, equalizer="zero_forcing",
            channel_ms=0.0, links=["a", "b"], absent=list(absent),
        )  # fmt: skip
        decoder.check(frame)
        found = {}
        for each in decoder.decode([Waiting(frame, payload, 0.0)]):
            assert isinstance(each.result, TaskResult)
            assert each.result.absent == list(absent)
            found[each.result.key.link] = each.answer
        return found

    whole = answers()
    assert sorted(whole) == ["a", "b"]
    assert answers("a") == {"b": whole["b"]}
    assert answers("b") == {"a": whole["a"]}
