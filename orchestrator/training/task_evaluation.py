"""The tasks of an evaluation: a link with one of its codecs, or links whose frames meet.

Frames, channel draws and forward passes are those of the processes in exact mode. The answer to a
frame depends only on its number, so any range of frames gives the same answers. Shape legend: N
images of a frame, U links of a group.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import assert_never, cast

import numpy as np
import torch

from channel_sim.channels import Codewords
from channel_sim.interference import Sent, interfere
from channel_sim.superposition import superpose
from orchestrator.training.item_record import ItemRecord
from orchestrator.training.last_codec import LastCodec
from orchestrator.training.reference import (
    Answers,
    DecodedFrame,
    SentFrame,
    decode_passed,
    encode_frames,
    keys_of_codewords,
    receive_frames,
)
from semcom.errors import CheckpointError, ConfigurationError
from semcom.evaluation_messages import (
    EncodedImages,
    EvaluatedFrame,
    EvaluatedPoint,
    EvaluationJob,
    EvaluationLine,
    EvaluationPoint,
    EvaluationTask,
)
from semcom.families import (
    JointReceiverHalf,
    JointTransmitterHalf,
    TransmitterHalf,
    used_of,
)
from semcom.groups import Group, offsets_of
from semcom.item_keys import draws
from semcom.kept_answers import keep_answer
from semcom.points import PointSpec
from semcom.probe import is_finite
from semcom.shards import Span
from semcom.text_shards import AnyShard, open_shard

Frames = dict[str, list[SentFrame]]  # by link


class AnyTaskEvaluation(ABC):
    """A codec: every item of some frames is encoded once, then sent at every point.

    A codec that needs the SNR encodes again for every SNR; points are ordered by SNR.
    """

    def __init__(self, job: EvaluationJob, number: int, codecs: LastCodec) -> None:
        self._job = job
        self._number = number
        self._task = job.tasks[number]
        self._images = job.images_of(self._task)
        loaded = codecs.load(job, self._task.codec_dir, self._task.codec_digest)
        self._transmitter, self._receiver = loaded.transmitter, loaded.receiver
        self._manifest = loaded.manifest
        self._loaded = loaded
        self._codec_task = self._manifest.task
        self._shard = _planned_shard(self._task)

    def lines(self) -> Iterator[EvaluationLine]:
        """Yield progress while encoding, then the answers of each point by ascending SNR."""
        encoded_for: float | None = None
        frames: Frames = {}
        for point in sorted(self._task.points, key=lambda point: point.spec.snr_db):
            if not frames or (self._manifest.needs_snr and point.spec.snr_db != encoded_for):
                encoded_for, frames = point.spec.snr_db, {}
                yield from self._encode(frames, point.spec.snr_db)
            torch.set_num_threads(self._job.decoder_threads)
            for link, answers in self._answers(frames, point).items():
                yield self._judged(point, link, answers)

    def _answers(self, frames: Frames, point: EvaluationPoint) -> dict[str, list[Answers]]:
        """Return the answers of each link, frame by frame; record requested items."""
        answers: dict[str, list[Answers]] = {link: [] for link in frames}
        record = self._record(point)
        for link, frame in self._decoded(frames, point.spec):
            answers[link].append(frame.answers)
            if record is not None and link == record.link:
                record.take(frame, answers[link][-1])
        if record is not None:
            record.write()
        return answers

    @property
    def _first_drawn(self) -> int:
        """Return the number of the first item in the keys of the channel's draws."""
        return self._images.start + self._task.turn * self._task.images

    def _record(self, point: EvaluationPoint) -> ItemRecord | None:
        wanted = self._job.inspection
        if wanted is None:
            return None
        return ItemRecord(
            wanted,
            self._loaded,
            point,
            shard=self._shard,
            first=self._images.start,
            cut=(self._offset(wanted.link), self._task.images),
        )

    @abstractmethod
    def _encode(self, frames: Frames, snr_db: float) -> Iterator[EncodedImages]:
        """Encode the items of the task into `frames`."""

    @abstractmethod
    def _decoded(self, frames: Frames, point: PointSpec) -> Iterator[tuple[str, DecodedFrame]]:
        """Send the frames of each link through the channel and decode them, each link in order."""

    @abstractmethod
    def _offset(self, link: str) -> int:
        """Return the index of the item that a link sends first."""

    def _encoded(self, images: int) -> EncodedImages:
        return EncodedImages(task=self._number, images=images)

    def _judged(self, point: EvaluationPoint, link: str, answers: list[Answers]) -> EvaluatedPoint:
        first = self._offset(link) + self._images.start
        frames: list[EvaluatedFrame] = []
        for frame, answers_N in enumerate(answers, start=self._task.first):
            items = Span(first, len(answers_N), of=self._task.images)
            frames.append(self._judged_frame(answers_N, items))
            first += len(answers_N)
            if self._job.answers_dir is not None:
                content = self._codec_task.form.format(answers_N)
                folder = self._job.answers_dir
                keep_answer(folder, content, link=link, point=point.point, frame=frame)
        return EvaluatedPoint(task=self._number, point=point.point, link=link, frames=frames)

    def _judged_frame(self, answers: Answers, items: Span) -> EvaluatedFrame:
        task, shard = self._codec_task, self._shard
        return EvaluatedFrame(
            score=dict(task.judge(answers, shard.references(task, items))),
            answer=task.kept(task.form.format(answers)),
        )


class TaskEvaluation(AnyTaskEvaluation):
    """A single link."""

    def _encode(self, frames: Frames, snr_db: float) -> Iterator[EncodedImages]:
        torch.set_num_threads(self._job.encoder_threads)
        own = frames[self._task.link] = []
        images = 0
        for frame in encode_frames(
            self._transmitter,
            self._manifest,
            self._shard,
            images=self._images,
            frame_images=self._job.frame_images,
            snr_db=snr_db,
        ):
            own.append(frame)
            images += len(frame.symbols_NK)
            yield self._encoded(images)

    def _decoded(self, frames: Frames, point: PointSpec) -> Iterator[tuple[str, DecodedFrame]]:
        link, first = self._task.link, self._first_drawn
        for frame in receive_frames(
            self._receiver,
            self._codec_task,
            frames[link],
            point,
            link=link,
            first_image=first,
        ):
            yield link, frame

    def _offset(self, link: str) -> int:
        del link
        return 0


class GroupEvaluation(AnyTaskEvaluation):
    """Links whose frames meet: each begins with another item."""

    def __init__(self, job: EvaluationJob, number: int, codecs: LastCodec) -> None:
        super().__init__(job, number, codecs)
        assert self._task.group is not None
        self._group: Group = self._task.group
        self._offsets = offsets_of(self._group.links, images=self._task.images)

    @abstractmethod
    def _half(self, user: int) -> TransmitterHalf:
        """Return the encoder of the link at that position."""

    @abstractmethod
    def _slot_frames(
        self, members: list[Codewords], slot: tuple[SentFrame, ...], point: PointSpec
    ) -> Iterator[DecodedFrame]:
        """Return the decoded slot for each link, in the order of the group."""

    def _encode(self, frames: Frames, snr_db: float) -> Iterator[EncodedImages]:
        torch.set_num_threads(self._job.encoder_threads)
        total, step = self._task.images, self._job.frame_images
        done = 0
        for user, link in enumerate(self._group.links):
            half = self._half(user)
            own = frames[link] = []
            for first in self._images[::step]:
                number = min(step, self._images.stop - first)
                items = Span(first + self._offsets[link], number, of=total)
                cut = items.cut(self._shard.items)
                used = used_of(half, self._manifest, cut)
                own.append(SentFrame(half.encode(cut, snr_db=snr_db), used))
                done += number
                yield self._encoded(done // len(self._group.links))

    def _decoded(self, frames: Frames, point: PointSpec) -> Iterator[tuple[str, DecodedFrame]]:
        links = self._group.links
        first = self._first_drawn
        for slot in zip(*(frames[link] for link in links), strict=True):
            number = len(slot[0].symbols_NK)
            members = [
                Codewords(point, link, first, number, frame.used)
                for link, frame in zip(links, slot, strict=True)
            ]
            yield from zip(links, self._slot_frames(members, slot, point), strict=True)
            first += number

    def _offset(self, link: str) -> int:
        return self._offsets[link]


class SuperposedEvaluation(GroupEvaluation):
    """Links whose frames are superposed: every slot is decoded for all links together."""

    def _half(self, user: int) -> TransmitterHalf:
        return cast(JointTransmitterHalf, self._transmitter).as_user(user)

    def _slot_frames(
        self, members: list[Codewords], slot: tuple[SentFrame, ...], point: PointSpec
    ) -> Iterator[DecodedFrame]:
        passed = superpose(self._group, members, [frame.symbols_NK for frame in slot])
        told = {}
        if draws(self._receiver):
            told["keys_UN"] = [keys_of_codewords(member) for member in members]
        outputs_U = cast(JointReceiverHalf, self._receiver).decode_users(
            passed.received_BK,
            passed.csi_BM,
            snr_db_N=np.full(members[0].images, point.snr_db, dtype=np.float32),
            **told,
        )
        if not is_finite(outputs_U):  # as the receiver's process
            raise CheckpointError("the codec decodes a frame to NaN or Inf")
        for sent, outputs in zip(slot, outputs_U, strict=True):
            yield DecodedFrame(sent, passed, outputs, self._codec_task.answers(outputs))


class InterferingEvaluation(GroupEvaluation):
    """Links that interfere with each other: every frame is decoded separately."""

    def _half(self, user: int) -> TransmitterHalf:
        del user
        return self._transmitter

    def _slot_frames(
        self, members: list[Codewords], slot: tuple[SentFrame, ...], point: PointSpec
    ) -> Iterator[DecodedFrame]:
        del point  # of the codewords
        sent = [
            Sent(codewords, frame.symbols_NK)
            for codewords, frame in zip(members, slot, strict=True)
        ]
        for place, wanted in enumerate(sent):
            passed = interfere(self._group, wanted, [*sent[:place], *sent[place + 1 :]])
            outputs = decode_passed(self._receiver, passed, wanted.codewords)
            answers = self._codec_task.answers(outputs)
            yield DecodedFrame(slot[place], passed, outputs, answers)


def evaluation_of(job: EvaluationJob, number: int, codecs: LastCodec) -> AnyTaskEvaluation:
    """Return the evaluation of a task of a job."""
    group = job.tasks[number].group
    if group is None:
        return TaskEvaluation(job, number, codecs)
    match group.kind:
        case "superposition":
            return SuperposedEvaluation(job, number, codecs)
        case "interference":
            return InterferingEvaluation(job, number, codecs)
        case _:
            assert_never(group.kind)


def _planned_shard(task: EvaluationTask) -> AnyShard:
    shard = open_shard(task.dataset_dir, "test")
    if shard.digest != task.dataset_digest:
        raise ConfigurationError(f"data set {task.dataset_dir} is not the planned one")
    return shard
