"""Codecs loaded for an evaluation: both halves, and the features between them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from orchestrator.training.item_features import Features, features_of
from receiver.engine import codec_loader as decoder_loader
from semcom.checkpoints import Checkpoint, open_checkpoint
from semcom.codec_manifest import AnyManifest
from semcom.evaluation_messages import EvaluationJob
from semcom.families import ReceiverHalf, TransmitterHalf
from transmitters.engine import codec_loader as encoder_loader


@dataclass(frozen=True)
class LoadedCodec:
    """Both halves of a codec, ready for service."""

    checkpoint: Checkpoint
    transmitter: TransmitterHalf
    receiver: ReceiverHalf

    @property
    def manifest(self) -> AnyManifest:
        """Return the manifest of the codec."""
        return self.checkpoint.manifest

    @cached_property
    def features(self) -> Features | None:
        """Return the object that computes the features of both ends; None if the codec has none."""
        return features_of(self.checkpoint, self.transmitter, self.receiver)


class LastCodec:
    """Loads codecs for a job and keeps the last one, because tasks are ordered by codec."""

    def __init__(self) -> None:
        self._key: tuple[object, ...] = ()
        self._loaded: LoadedCodec | None = None

    def load(self, job: EvaluationJob, folder: Path, digest: str) -> LoadedCodec:
        """Return a codec with the engines of the job.

        Raises:
            CheckpointError: it is not the planned one, or is not valid.
            ConfigurationError: the packages of an engine are not installed.
        """
        threads = job.encoder_threads, job.decoder_threads
        key = (folder, digest, job.engine, job.receiver_engine, threads)
        if self._loaded is None or self._key != key:
            self._loaded = None  # never two at the same time
            checkpoint = open_checkpoint(folder, expected_digest=digest)
            encode = encoder_loader(job.engine, threads=job.encoder_threads)
            transmitter = encode(checkpoint)
            decode = decoder_loader(job.receiver_engine, device="cpu", threads=job.decoder_threads)
            self._loaded = LoadedCodec(checkpoint, transmitter, decode(checkpoint))
            self._key = key
        return self._loaded
