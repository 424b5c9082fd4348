"""Who this process is, and how it rounds: what an evaluation says first."""

from __future__ import annotations

import platform
import socket
from functools import lru_cache

import numpy as np
import torch

from semcom.evaluation_messages import EvaluationJob, Evaluator
from semcom.extras import needed_by
from semcom.fingerprint import Fingerprint, Origin
from semcom.machine import processor, vector_extensions
from semcom.nn.rounding import torch_kernels, torch_rounding
from semcom.settings import Engine

TRANSMITTER, RECEIVER = "transmitter", "receiver"


def evaluator_of(job: EvaluationJob) -> Evaluator:
    """Return the first line of an evaluation.

    Raises:
        ConfigurationError: the packages of an engine are not installed.
    """
    threads = {TRANSMITTER: job.encoder_threads, RECEIVER: job.decoder_threads}
    engines = {TRANSMITTER: job.engine, RECEIVER: job.receiver_engine}
    used = sorted({(engine, threads[role]) for role, engine in engines.items()})
    fingerprint = Fingerprint(
        machine=platform.machine(),
        device="cpu",
        kernels={engine: _kernels(engine) for engine, _ in used},
        threads=threads,
        versions=_versions(job),
        rounding={f"{engine} on {count}": _rounding(engine, count) for engine, count in used},
    )
    host = Origin(host=socket.gethostname(), processor=processor(), fingerprint=fingerprint)
    return Evaluator(origin=host)


def _kernels(engine: Engine) -> str:
    return torch_kernels() if engine == "torch" else vector_extensions() or "not told"


def _versions(job: EvaluationJob) -> dict[str, str]:
    found = {"numpy": np.__version__}
    if "torch" in (job.engine, job.receiver_engine):
        found["torch"] = torch.__version__
    if "onnxruntime" in (job.engine, job.receiver_engine):
        with needed_by("engine onnxruntime", "edge", otherwise="set another engine"):
            from semcom.onnx.session import version  # noqa: PLC0415 - only where it computes
        found["onnxruntime"] = version()
    return found


@lru_cache
def _rounding(engine: Engine, threads: int) -> str:
    """Return the digest of an engine's known operations; they take a moment, so once a process."""
    if engine == "torch":
        return torch_rounding(threads=threads)
    with needed_by("engine onnxruntime", "edge", otherwise="set another engine"):
        from semcom.onnx.rounding import onnx_rounding  # noqa: PLC0415 - only where it computes
    return onnx_rounding(threads=threads)
