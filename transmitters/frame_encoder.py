"""Encode items of frames to symbols, and judge answers; codecs and data sets are opened once."""

from __future__ import annotations

import logging
import time
from collections import OrderedDict
from dataclasses import replace
from typing import Any, cast

import numpy.typing as npt

from semcom.checkpoints import find_codec, open_checkpoint
from semcom.codec_manifest import AnyManifest
from semcom.errors import CheckpointError, ProtocolError
from semcom.families import JointTransmitterHalf, TransmitterHalf, used_of
from semcom.increments import as_kept, first_counts, further_counts
from semcom.messages import PointWork
from semcom.probe import is_finite
from semcom.shards import Span
from semcom.tasks.ordered_classification import OrderedClassification
from semcom.tasks.task import Task
from semcom.telemetry import event
from transmitters.engine import codec_loader
from transmitters.frame_plan import Encoded, FramePlan, Ordered
from transmitters.images import FrameSource
from transmitters.sender import Judged
from transmitters.settings import TransmitterSettings

logger = logging.getLogger("transmitters")

CacheKey = tuple[str, str, int | None, Span]  # codec, data set, user, items


class FrameEncoder:
    """Encodes items on the worker's thread; keeps codecs, data sets and codewords."""

    def __init__(self, settings: TransmitterSettings) -> None:
        self._settings = settings
        self._load = codec_loader(settings.engine, threads=settings.threads)
        self._codecs: dict[str, TransmitterHalf] = {}
        self._manifests: dict[str, AnyManifest] = {}
        self._sources: dict[str, FrameSource] = {}
        self._cache: OrderedDict[CacheKey, Encoded] = OrderedDict()
        self._cached_bytes = 0

    def encode(self, plan: FramePlan) -> Encoded:
        """Encode a frame, or take it from the cache if the same items were encoded before.

        Raises:
            SemcomError: the codec or the data set is missing, damaged or a different one.
        """
        assignment = plan.assignment
        key = (assignment.codec_digest, assignment.dataset_digest, assignment.user, plan.items)
        codec = self._half(assignment)
        manifest = self._manifests[assignment.codec_digest]
        cacheable = assignment.encode_once and not manifest.needs_snr
        if cacheable and key in self._cache:
            return self._sent(replace(self._cache[key], plan=plan))
        images = self.source(assignment).images(plan.items)
        started = time.perf_counter()
        symbols_BK = codec.encode(images, snr_db=assignment.spec.snr_db)
        if not is_finite(symbols_BK):  # the channel would refuse it without knowing the cause
            raise CheckpointError(f"codec {assignment.codec} encodes items to NaN or Inf")
        used = used_of(codec, manifest, images)
        encoded = Encoded(plan, symbols_BK, 1e3 * (time.perf_counter() - started), used)
        if cacheable:
            self._keep(key, encoded)
        return self._sent(encoded)

    def _sent(self, encoded: Encoded) -> Encoded:
        """Cut ordered codewords to the increments of the first round."""
        task = self.task(encoded.plan)
        if not isinstance(task, OrderedClassification):
            return encoded
        codewords_BK, rate = encoded.symbols_BK, encoded.plan.assignment.spec.rate
        counts_B = first_counts(rate, len(codewords_BK), increments=len(task.lengths))
        return Ordered(codewords_BK, counts_B, task.lengths).sent(encoded)

    def further(self, encoded: Encoded, answer: bytes) -> Encoded | None:
        """Return the next round of a frame after an answer; None if there is none.

        Raises:
            ProtocolError: no codec of this task gives such an answer.
        """
        if encoded.ordered is None:
            return None
        codewords_BK, counts_B, lengths = encoded.ordered
        more_B = further_counts(
            encoded.plan.assignment.spec.rate,
            counts_B,
            self._parsed(encoded.plan, answer)[:, 1],
            increments=len(lengths),
        )
        if more_B is None:
            return None
        again = replace(encoded, plan=replace(encoded.plan, round=encoded.plan.round + 1))
        return Ordered(codewords_BK, more_B, lengths).sent(again)

    def source(self, assignment: PointWork) -> FrameSource:
        """The data set of an assignment, opened once."""
        source = self._sources.get(assignment.dataset_digest)
        if source is None:
            folder = self._settings.data_dir / assignment.dataset
            source = FrameSource(folder, digest=assignment.dataset_digest)
            self._sources[assignment.dataset_digest] = source
        return source

    def task(self, plan: FramePlan) -> Task:
        """Return the task of the codec with which a frame was encoded."""
        return self._manifests[plan.assignment.codec_digest].task

    def last_answer(self, encoded: Encoded, answer: bytes) -> bytes:
        """Return the answer to a frame's last round in the form that is judged and kept."""
        if encoded.ordered is None:
            return answer
        answers = as_kept(self._parsed(encoded.plan, answer), encoded.ordered.counts_B)
        return self.task(encoded.plan).form.format(answers)

    def judge(self, plan: FramePlan, answer: bytes) -> Judged:
        """Judge the answer to a frame with the task of its codec.

        Raises:
            ProtocolError: no codec of this task gives such an answer, so the other end has another
                codec.
        """
        task = self.task(plan)
        answers = self._parsed(plan, answer)
        references = self.source(plan.assignment).references(task, plan.items)
        return Judged(task.judge(answers, references), task.kept(answer))

    def _parsed(self, plan: FramePlan, answer: bytes) -> npt.NDArray[Any]:
        task = self.task(plan)
        try:
            answers = task.form.parse(answer, plan.images)
            task.check(answers)
        except ProtocolError as error:
            raise ProtocolError("codec_mismatch", error.detail) from error
        return answers

    def _half(self, assignment: PointWork) -> TransmitterHalf:
        """Return the encoder for an assignment's frames; it may differ between superposed links."""
        codec = self._codec(assignment)
        if assignment.user is None or self._manifests[assignment.codec_digest].links == 1:
            return codec
        return cast(JointTransmitterHalf, codec).as_user(assignment.user)

    def _codec(self, assignment: PointWork) -> TransmitterHalf:
        codec = self._codecs.get(assignment.codec_digest)
        if codec is None:
            folder = find_codec(self._settings.codec_dir, assignment.codec)
            checkpoint = open_checkpoint(folder, expected_digest=assignment.codec_digest)
            codec = self._codecs[assignment.codec_digest] = self._load(checkpoint)
            self._manifests[assignment.codec_digest] = checkpoint.manifest
            event(logger, "codec loaded", codec=assignment.codec, digest=checkpoint.digest[:12])
        return codec

    def _keep(self, key: CacheKey, encoded: Encoded) -> None:
        self._cache[key] = encoded
        self._cached_bytes += encoded.symbols_BK.nbytes
        while self._cached_bytes > self._settings.cache_bytes:
            _, oldest = self._cache.popitem(last=False)
            self._cached_bytes -= oldest.symbols_BK.nbytes
