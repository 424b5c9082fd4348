"""Frames to task results, on the worker's thread; keeps the codecs that were loaded."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np

from receiver.batcher import Waiting
from receiver.engine import codec_loader
from receiver.settings import ReceiverSettings
from semcom.checkpoints import find_codec, open_checkpoint
from semcom.codec_manifest import AnyManifest
from semcom.errors import CheckpointError, ProtocolError
from semcom.families import JointReceiverHalf, ReceiverHalf
from semcom.frame_messages import FrameKey, ReceivedFrame, TaskResult
from semcom.messages import MAX_ITEMS, Refusal
from semcom.probe import is_finite
from semcom.used_symbols import Used, parse_used
from semcom.wire import MAX_PAYLOAD_BYTES


@dataclass(frozen=True)
class Decoded:
    """One frame that was answered, or that its codec can make nothing of."""

    result: TaskResult | Refusal
    images: int
    answer: bytes = b""


class FrameDecoder:
    """Decoders by digest. A codec that is refused leaves all others serving."""

    def __init__(self, settings: ReceiverSettings) -> None:
        self._settings = settings
        self._load = codec_loader(settings.engine, device=settings.device, threads=settings.threads)
        self._codecs: dict[str, ReceiverHalf] = {}
        self._manifests: dict[str, AnyManifest] = {}

    @property
    def digests(self) -> tuple[str, ...]:
        """What is loaded."""
        return tuple(self._codecs)

    def load(self, name: str, *, expected_digest: str | None = None) -> None:
        """Load a codec beside those that serve.

        Raises:
            CheckpointError: missing, damaged, another one than expected, or not fitting.
        """
        folder = find_codec(self._settings.codec_dir, name)
        checkpoint = open_checkpoint(folder, expected_digest=expected_digest)
        if checkpoint.digest not in self._codecs:
            if len(self._codecs) >= MAX_ITEMS:
                raise CheckpointError(f"this receiver holds {MAX_ITEMS} codecs already; restart it")
            codec = self._load(checkpoint)
            self._manifests = {**self._manifests, checkpoint.digest: checkpoint.manifest}
            self._codecs = {**self._codecs, checkpoint.digest: codec}

    def check(self, frame: ReceivedFrame) -> None:
        """Refuse what the codec it names cannot decode.

        Raises:
            ProtocolError: the codec is not loaded, or has another number of symbols.
        """
        manifest = self._manifests.get(frame.codec)
        if manifest is None or frame.codec not in self._codecs:
            raise ProtocolError("codec_not_loaded", f"codec {frame.codec[:12]} is not loaded")
        links = max(1, len(frame.links))
        if manifest.links != links:
            raise ProtocolError(
                "codec_mismatch", f"{links} links in a frame, the codec serves {manifest.links}"
            )
        if links > 1 and frame.csi_columns not in (0, links):
            raise ProtocolError(
                "codec_mismatch",
                f"{frame.csi_columns} columns of channel state for {links} superposed links",
            )
        if frame.used and not manifest.variable_length:
            raise ProtocolError("codec_mismatch", "the codec sends all symbols of every codeword")
        expected = manifest.symbols
        if frame.symbols != expected:
            raise ProtocolError(
                "codec_mismatch", f"{frame.symbols} symbols per image, the codec has {expected}"
            )
        if frame.images * manifest.task.form.item_bytes > MAX_PAYLOAD_BYTES:
            raise ProtocolError(
                "codec_mismatch", f"the answers to {frame.images} images do not fit into a message"
            )

    def decode(self, batch: list[Waiting]) -> list[Decoded]:
        """One forward pass over all images of the batch; an answer to each of its frames.

        A frame of superposed links has an answer for each of them.
        """
        started_s = time.monotonic()
        first = batch[0].frame
        codec = self._codecs[first.codec]
        payload = (
            np.concatenate([waiting.payload for waiting in batch])
            if len(batch) > 1
            else (batch[0].payload)
        )
        columns = first.csi_columns
        csi_NM = np.array(payload[:, :columns]) if columns else None
        received_NK = np.array(payload[:, columns:])
        snr_db_N = np.concatenate(
            [np.full(w.frame.images, w.frame.snr_db, dtype=np.float32) for w in batch]
        )
        manifest = self._manifests[first.codec]
        if first.links:
            joint = cast(JointReceiverHalf, codec)
            outputs_U = list(joint.decode_users(received_NK, csi_NM, snr_db_N=snr_db_N))
        else:
            told = _used_of(batch) if manifest.variable_length else {}
            outputs_U = [
                codec.decode(
                    received_NK, csi_NM, snr_db_N=snr_db_N, equalizer=first.equalizer, **told
                )
            ]
        task = manifest.task
        answers_U = [task.answers(outputs) for outputs in outputs_U]
        decode_ms = 1e3 * (time.monotonic() - started_s)
        ends = np.cumsum([waiting.frame.images for waiting in batch])
        decoded: list[Decoded] = []
        for waiting, end in zip(batch, ends, strict=True):
            span = slice(end - waiting.frame.images, end)
            if all(is_finite(outputs[span]) for outputs in outputs_U):
                for key, answers in zip(waiting.answer_keys, answers_U, strict=True):
                    answer = task.form.format(answers[span])
                    decoded.append(_decoded(waiting, key, answer, started_s, decode_ms))
            else:  # NaN would be some class: no answer is better
                detail = f"codec {first.codec[:12]} decodes to NaN or Inf"
                refusal = Refusal(reason="codec_mismatch", detail=detail, key=waiting.frame.key)
                decoded.append(Decoded(refusal, waiting.frame.images))
        return decoded


def _used_of(batch: Sequence[Waiting]) -> dict[str, Used]:
    """What a codec of several lengths is told of the codewords of a batch."""
    frames = [waiting.frame for waiting in batch]
    used = [parse_used(each.used, rows=each.images, symbols=each.symbols) for each in frames]
    return {"used_N": np.concatenate(used)}


def _decoded(
    waiting: Waiting, key: FrameKey, answer: bytes, started_s: float, decode_ms: float
) -> Decoded:
    frame = waiting.frame
    result = TaskResult(
        key=key,
        codec=frame.codec,
        channel_ms=frame.channel_ms,
        batch_wait_ms=1e3 * max(0.0, started_s - waiting.arrived_s),
        decode_ms=decode_ms,
        snr_measured_db=frame.snr_measured_db,
    )
    return Decoded(result, frame.images, answer)
