"""The host of this process and its rounding: the first line of an evaluation."""

from __future__ import annotations

from functools import lru_cache

from semcom.evaluation_messages import EvaluationJob, Evaluator
from semcom.extras import needed_by
from semcom.fingerprint import EngineRounding, own_origin
from semcom.nn.rounding import torch_part
from semcom.settings import Engine

TRANSMITTER, RECEIVER = "transmitter", "receiver"


def evaluator_of(job: EvaluationJob) -> Evaluator:
    """Return the first line of an evaluation.

    Raises:
        ConfigurationError: the packages of an engine are not installed.
    """
    computing = {
        TRANSMITTER: _rounding(job.engine, job.encoder_threads),
        RECEIVER: _rounding(job.receiver_engine, job.decoder_threads),
    }
    return Evaluator(origin=own_origin(computing))


@lru_cache
def _rounding(engine: Engine, threads: int) -> EngineRounding:
    """Return the rounding of an engine; computed once per process, because it takes a moment."""
    if engine == "torch":
        return torch_part(threads=threads)
    with needed_by("engine onnxruntime", "edge", otherwise="set another engine"):
        from semcom.onnx.rounding import onnx_part  # noqa: PLC0415 - only if it computes
    return onnx_part(threads=threads)
