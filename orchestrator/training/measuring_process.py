"""`python -m orchestrator.training.measuring_process`: measures points; `semcom measure` starts it.

Jobs are read from stdin, and each is answered by a line on stdout; see
`semcom/measure_messages.py`. It ends with its stdin.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, assert_never

import numpy as np
import numpy.typing as npt
import torch

from orchestrator.training.job_lines import serve_jobs
from orchestrator.training.measuring.frechet import (
    FeatureNetwork,
    Gaussian,
    frechet_distance,
    gaussian_of,
    load_network,
)
from orchestrator.training.measuring.inception import load_inception
from orchestrator.training.measuring.lpips import Lpips, distances
from orchestrator.training.measuring.ms_ssim import ms_ssim
from orchestrator.training.measuring.sentence_vectors import SentenceVectors, Values, cosines
from semcom.entry import run_process
from semcom.errors import StorageError
from semcom.evaluation_messages import EvaluationLine
from semcom.measure_messages import MeasureJob
from semcom.stop_signals import in_silence
from semcom.tasks.reconstruction import mean_squared_errors, psnr_db, ssim

lpips_of = lru_cache(maxsize=1)(Lpips.load)
efficientnet_of = lru_cache(maxsize=1)(load_network)
inception_of = lru_cache(maxsize=1)(load_inception)
minilm_of = lru_cache(maxsize=1)(SentenceVectors)


def values_of(job: MeasureJob) -> Values:
    """Return the values of a job, float64 (N,) or (1,).

    Raises:
        SemcomError: weights or files cannot be used.
    """
    weights = Path() if job.weights is None else job.weights
    match job.measure:
        case "psnr":
            return psnr_db(mean_squared_errors(_images(job.received), _images(job.sent)))
        case "ssim":
            return _ssim(job)
        case "lpips":
            return distances(lpips_of(weights), _images(job.sent), _images(job.received))
        case "ms_ssim":
            return ms_ssim(_images(job.sent), _images(job.received))
        case "fd_effnetlite0":
            return _frechet(efficientnet_of(weights), job)
        case "fid":
            return _frechet(inception_of(weights), job)
        case "similarity":
            received_ND = minilm_of(weights).of(json.loads(job.received.read_text()))
            return cosines(_sent_vectors(weights, job.sent), received_ND)
        case _:
            assert_never(job.measure)


def _ssim(job: MeasureJob) -> Values:
    """Return the SSIM of each image; one at a time, since large ones take much memory."""
    pairs = zip(_images(job.received), _images(job.sent), strict=True)
    return np.concatenate([ssim(received[None], sent[None]) for received, sent in pairs])


def _frechet(network: FeatureNetwork, job: MeasureJob) -> Values:
    received = gaussian_of(network, _images(job.received))
    return np.array([frechet_distance(_sent_gaussian(network, job.sent), received)])


@lru_cache(maxsize=1)
def _sent_gaussian(network: FeatureNetwork, sent: Path) -> Gaussian:
    """Return the features of what was sent, which is the same at every point of a link."""
    return gaussian_of(network, _images(sent))


@lru_cache(maxsize=1)
def _sent_vectors(weights: Path, sent: Path) -> Values:
    return minilm_of(weights).of(json.loads(sent.read_text()))


def _images(path: Path) -> npt.NDArray[Any]:
    images: npt.NDArray[Any] = np.load(path, allow_pickle=False)
    return images


def main() -> int:
    """Read jobs, one per line, and answer them; return the exit code."""
    return serve_jobs(MeasureJob, _answer, called="job")


def _answer(job: MeasureJob) -> Iterator[EvaluationLine]:
    """Write the values of a job; the only answer is that it is finished."""
    torch.set_num_threads(job.threads)
    values = values_of(job)
    try:
        np.save(job.values, values)
    except OSError as error:
        raise StorageError(f"cannot write {job.values}: {error.strerror}") from error
    yield from ()


if __name__ == "__main__":
    sys.exit(run_process(main, say=in_silence))
