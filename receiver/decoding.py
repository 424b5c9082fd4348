"""Decode frames to task results on the worker's thread; keep the loaded codecs."""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import accumulate
from typing import Any, NamedTuple, cast

import numpy as np

from receiver.batcher import Waiting
from receiver.engine import codec_loader
from receiver.settings import ReceiverSettings
from semcom.checkpoints import find_codec, open_checkpoint
from semcom.codec_manifest import AnyManifest
from semcom.errors import CheckpointError, ProtocolError
from semcom.families import JointReceiverHalf, ReceiverHalf
from semcom.frame_messages import FrameKey, ReceivedFrame, TaskResult
from semcom.item_keys import ItemKey, draws, keys_of_frame
from semcom.messages import MAX_ITEMS, Refusal
from semcom.probe import is_finite
from semcom.tasks.form import AnyForm
from semcom.tasks.task import Task
from semcom.used_symbols import Used, parse_used
from semcom.wire import MAX_PAYLOAD_BYTES


class Decoded(NamedTuple):
    """One frame with its answer, or the error of its codec."""

    result: TaskResult | Refusal
    images: int
    answer: bytes = b""


class Served(NamedTuple):
    """A codec that serves, with what its manifest says: each frame is compared with it."""

    codec: ReceiverHalf
    task: Task
    form: AnyForm
    item_bytes: int
    links: int
    symbols: int
    variable_length: bool

    @classmethod
    def of(cls, codec: ReceiverHalf, manifest: AnyManifest) -> Served:
        """Read a manifest once, of which some fields are computed at each call."""
        task = manifest.task
        form, links = task.form, manifest.links
        lengths = manifest.variable_length
        return cls(codec, task, form, form.item_bytes, links, manifest.symbols, lengths)


class FrameDecoder:
    """Decoders by digest. A refused codec does not affect the others."""

    def __init__(self, settings: ReceiverSettings) -> None:
        self._settings = settings
        self._load = codec_loader(settings.engine, device=settings.device, threads=settings.threads)
        self._served: dict[str, Served] = {}

    @property
    def digests(self) -> tuple[str, ...]:
        """Return the digests of the loaded codecs."""
        return tuple(self._served)

    def load(self, name: str, *, expected_digest: str | None = None) -> None:
        """Load a codec next to those in use.

        Raises:
            CheckpointError: it is missing, damaged, not the expected one, or does not fit.
        """
        folder = find_codec(self._settings.codec_dir, name)
        checkpoint = open_checkpoint(folder, expected_digest=expected_digest)
        if checkpoint.digest not in self._served:
            if len(self._served) >= MAX_ITEMS:
                raise CheckpointError(f"this receiver holds {MAX_ITEMS} codecs already; restart it")
            served = Served.of(self._load(checkpoint), checkpoint.manifest)
            self._served = {**self._served, checkpoint.digest: served}

    def check(self, frame: ReceivedFrame) -> None:
        """Refuse a frame that its codec cannot decode.

        Raises:
            ProtocolError: the codec is not loaded, or has another number of symbols.
        """
        served = self._served.get(frame.codec)
        if served is None:
            raise ProtocolError("codec_not_loaded", f"codec {frame.codec[:12]} is not loaded")
        links = max(1, len(frame.links))
        if served.links != links:
            raise ProtocolError(
                "codec_mismatch", f"{links} links in a frame, the codec serves {served.links}"
            )
        if links > 1 and frame.csi_columns not in (0, links):
            raise ProtocolError(
                "codec_mismatch",
                f"{frame.csi_columns} columns of channel state for {links} superposed links",
            )
        if frame.used and not served.variable_length:
            raise ProtocolError("codec_mismatch", "the codec sends all symbols of every codeword")
        if frame.symbols != served.symbols:
            raise ProtocolError(
                "codec_mismatch",
                f"{frame.symbols} symbols per item, the codec has {served.symbols}",
            )
        if frame.images * served.item_bytes > MAX_PAYLOAD_BYTES:
            raise ProtocolError(
                "codec_mismatch", f"the answers to {frame.images} items do not fit into a message"
            )

    def decode(self, batch: list[Waiting]) -> list[Decoded]:
        """Decode all items of the batch in one forward pass; return an answer to each frame.

        A frame of superposed links gets an answer for each of them.
        """
        started_s = time.monotonic()
        first = batch[0].frame
        served = self._served[first.codec]
        codec = served.codec
        payload = (
            np.concatenate([waiting.payload for waiting in batch])
            if len(batch) > 1
            else (batch[0].payload)
        )
        columns = first.csi_columns
        csi_NM = np.array(payload[:, :columns]) if columns else None
        received_NK = np.array(payload[:, columns:])
        frames = [waiting.frame for waiting in batch]
        images = [frame.images for frame in frames]
        snr_db_N = np.repeat(np.array([frame.snr_db for frame in frames], np.float32), images)
        told: dict[str, Any]
        if first.links:
            joint = cast(JointReceiverHalf, codec)
            told = _keys_of_users(batch) if draws(codec) else {}
            outputs_U = list(joint.decode_users(received_NK, csi_NM, snr_db_N=snr_db_N, **told))
        else:
            told = _used_of(batch) if served.variable_length else {}
            if draws(codec):
                told |= {"keys_N": _keys_of(batch, user=0)}
            outputs_U = [
                codec.decode(
                    received_NK, csi_NM, snr_db_N=snr_db_N, equalizer=first.equalizer, **told
                )
            ]
        ends = list(accumulate(images))
        answers_U = [
            served.form.format_each(served.task.answers(outputs), ends) for outputs in outputs_U
        ]
        decode_ms = 1e3 * (time.monotonic() - started_s)
        finite = all(is_finite(outputs) for outputs in outputs_U)
        decoded: list[Decoded] = []
        for index, (waiting, end) in enumerate(zip(batch, ends, strict=True)):
            span = slice(end - waiting.frame.images, end)
            if finite or all(is_finite(outputs[span]) for outputs in outputs_U):
                answered = waiting.frame.answered_links
                for key, answers in zip(waiting.answer_keys, answers_U, strict=True):
                    if key.link in answered:
                        decoded.append(_decoded(waiting, key, answers[index], started_s, decode_ms))
            else:  # NaN would give an arbitrary class; no answer is better
                detail = f"codec {first.codec[:12]} decodes to NaN or Inf"
                refusal = Refusal(reason="codec_mismatch", detail=detail, key=waiting.frame.key)
                decoded.append(Decoded(refusal, waiting.frame.images))
        return decoded


def _used_of(batch: Sequence[Waiting]) -> dict[str, Used]:
    """Return the used symbols of a batch's codewords, for a codec of several lengths."""
    frames = [waiting.frame for waiting in batch]
    used = [parse_used(each.used, rows=each.images, symbols=each.symbols) for each in frames]
    return {"used_N": np.concatenate(used)}


def _keys_of_users(batch: Sequence[Waiting]) -> dict[str, list[list[ItemKey]]]:
    """Return the keys of the items of superposed links, for a codec that draws."""
    return {"keys_UN": [_keys_of(batch, user) for user in range(len(batch[0].answer_keys))]}


def _keys_of(batch: Sequence[Waiting], user: int) -> list[ItemKey]:
    """Return the keys of a batch's items for one of the answered links."""
    keys: list[ItemKey] = []
    for waiting in batch:
        frame, link = waiting.frame, waiting.answer_keys[user].link
        keys += keys_of_frame(frame.seed, link, first=frame.first_image, count=frame.images)
    return keys


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
        absent=frame.absent,
    )
    return Decoded(result, frame.images, answer)
