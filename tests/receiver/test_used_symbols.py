"""Codecs of several lengths at the receiver: told what is used, whatever came."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from receiver.batcher import Waiting
from receiver.decoding import FrameDecoder
from receiver.settings import ReceiverSettings
from semcom.errors import ProtocolError
from semcom.frame_messages import FrameKey, ReceivedFrame, TaskResult
from semcom.used_symbols import format_used
from tests.semcom.families.text_codecs import architecture, some_sentences, written
from tests.semcom.small_codec import write_small_codec

MADE_OF = architecture()
K = MADE_OF.symbols


@pytest.fixture(scope="module")
def codecs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("codecs")
    written(root / "text", MADE_OF)
    write_small_codec(root / "codec-1")
    return root


@pytest.fixture(scope="module")
def decoder(codecs: Path) -> FrameDecoder:
    settings = ReceiverSettings(downlink="tcp://127.0.0.1:1", codec_dir=codecs)
    decoder = FrameDecoder(settings)
    decoder.load("text")
    decoder.load("codec-1")
    return decoder


def waiting(codec: str, payload: np.ndarray, used: bytes = b"", frame: int = 0) -> Waiting:
    message = ReceivedFrame(
        key=FrameKey(run="demo", point=0, link="a", frame=frame), images=len(payload),
        symbols=payload.shape[1], codec=codec, csi_columns=0, snr_db=10.0,
        equalizer="zero_forcing", channel_ms=0.0, used=used,
    )  # fmt: skip
    return Waiting(message, payload, 0.0)


def answers(decoder: FrameDecoder, *batch: Waiting) -> list[bytes]:
    decoded = decoder.decode(list(batch))
    assert all(isinstance(each.result, TaskResult) for each in decoded)
    return [each.answer for each in decoded]


def test_decoder_is_told_what_each_frame_uses(codecs, decoder):
    codec = written(codecs / "text", MADE_OF)
    transmitter, receiver = codec.load_transmitter(), codec.load_receiver()
    words, task = some_sentences(MADE_OF, 6), codec.manifest.task
    longest = np.full((2, MADE_OF.tokens - 1), 7, np.uint16)
    frames = []
    for number, items in enumerate((words[:3], longest, words[3:])):
        symbols, used = transmitter.encode(items, snr_db=0.0), transmitter.used_symbols(items)
        frames.append(waiting(codec.digest, symbols, format_used(used, K), number))
        decoder.check(frames[-1].frame)
        outputs = receiver.decode(
            symbols, None, snr_db_N=np.full(len(items), 10, np.float32),
            equalizer="zero_forcing", used_N=used,
        )  # fmt: skip
        assert answers(decoder, frames[-1]) == [task.form.format(task.answers(outputs))]
    assert [bool(each.frame.used) for each in frames] == [True, False, True]
    together = answers(decoder, *frames)
    assert together == [answers(decoder, each)[0] for each in frames]


@pytest.mark.parametrize("used", [[0, 0], [0, K], [3, 11], [K - 1, 1]])
def test_any_length_is_answered(codecs, decoder, used):
    """A client of its own may state lengths that no sentence has."""
    codec = written(codecs / "text", MADE_OF)
    payload = np.ones((2, K), np.complex64) * (np.arange(K) < np.array(used)[:, None])
    stated = format_used(np.array(used, np.uint16), K)
    (answer,) = answers(decoder, waiting(codec.digest, payload.astype(np.complex64), stated))
    codec.manifest.task.check(codec.manifest.task.form.parse(answer, 2))


def test_codec_of_one_length_takes_no_frame_of_several(codecs, decoder):
    codec = write_small_codec(codecs / "codec-1")
    symbols = codec.manifest.symbols
    payload = np.zeros((2, symbols), np.complex64)
    with pytest.raises(ProtocolError, match="all symbols of every codeword") as raised:
        decoder.check(waiting(codec.digest, payload, bytes(4)).frame)
    assert raised.value.reason == "codec_mismatch"
