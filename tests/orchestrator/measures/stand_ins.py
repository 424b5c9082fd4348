"""Small random weights under the names of the real ones, and a process that is none."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Self

import numpy as np
import torch
from safetensors.torch import save

from orchestrator.measures.weights import LPIPS_ALEXNET, RECORD, WeightsRecord, weights_folder
from orchestrator.training.measuring.lpips import Lpips
from semcom.evaluation_messages import EvaluationLine, Finished
from semcom.measure_messages import MeasureJob


def write_lpips(data: Path, *, seed: int = 0) -> None:
    """Write LPIPS weights that say they are of the pinned archive."""
    torch.manual_seed(seed)
    network = Lpips()
    with torch.no_grad():
        for weights in network.linear:
            weights.uniform_(0.0, 1.0)
    content = save(network.state_dict())
    folder = weights_folder(data, LPIPS_ALEXNET)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "alexnet.safetensors").write_bytes(content)
    record = WeightsRecord(
        name=LPIPS_ALEXNET.name,
        requirement=LPIPS_ALEXNET.requirement,
        archive_sha256=LPIPS_ALEXNET.sha256,
        files={"alexnet.safetensors": hashlib.sha256(content).hexdigest()},
    )
    (folder / RECORD).write_text(record.model_dump_json())


def measuring_process() -> ModuleType:
    """Return the module that is run as a process; timm and torchvision take seconds to import."""
    return import_module("orchestrator.training.measuring_process")


class SameProcess:
    """Computes jobs here, and counts them: for tests of what is asked, not of the process."""

    jobs: list[MeasureJob] = []  # noqa: RUF012 - emptied by the fixture that installs it

    def __init__(self, module: str) -> None:
        self._process = measuring_process()
        assert module == self._process.__name__
        self._process.lpips_of.cache_clear()  # a new process has loaded nothing

    def __enter__(self) -> Self:
        return self

    def lines(self, job: MeasureJob) -> Iterator[EvaluationLine]:
        """Compute at once."""
        self.jobs.append(job)
        np.save(job.values, self._process.values_of(job))
        yield Finished()

    def close(self) -> None:
        """Nothing is left."""
