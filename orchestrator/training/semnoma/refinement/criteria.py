"""Measures of recovered against sent images, for choosing the starts of the diffusion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, assert_never

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError

from orchestrator.training.measuring.lpips import Lpips, distances
from semcom.errors import ConfigurationError
from semcom.plain_text import command
from semcom.tasks.reconstruction import mean_squared_errors, psnr_db, ssim

CriterionName = Literal["lpips", "ssim", "psnr"]
Images = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]
LPIPS_FOLDER = Path("weights", "lpips")  # next to the data sets, as written by `semcom weights`


@dataclass(frozen=True)
class Criterion:
    """A measure of each image: (answers, references), uint8 (N, H, W, C) each -> (N,)."""

    name: str
    higher_is_better: bool
    measure: Callable[[Images, Images], Values]

    def best(self, means: dict[int, float]) -> int:
        """Return the start with the best mean, the first of equal ones."""
        sign = 1.0 if self.higher_is_better else -1.0
        return max(means, key=lambda start: (sign * means[start], -start))


def check_criterion(name: CriterionName, data: Path) -> None:
    """Check that a criterion finds its weights in the folder of data sets.

    Raises:
        ConfigurationError: the weights are missing.
    """
    if name == "lpips" and not (data / LPIPS_FOLDER).is_dir():
        prepare = command("semcom", "weights", "lpips")
        raise ConfigurationError(
            f"diffusion.criterion: lpips needs its weights in {data / LPIPS_FOLDER}; prepare them "
            f"with: {prepare}, or set diffusion.criterion=ssim"
        )


def criterion_of(name: CriterionName, data: Path) -> Criterion:
    """Return a criterion by its name; weights are next to the data sets.

    Raises:
        ConfigurationError: the weights are missing or cannot be read.
    """
    match name:
        case "lpips":
            check_criterion(name, data)
            return Criterion(name, False, _lpips(data / LPIPS_FOLDER))
        case "ssim":
            return Criterion(name, True, ssim)
        case "psnr":
            return Criterion(name, True, _psnr_db)
        case _:
            assert_never(name)


def _lpips(folder: Path) -> Callable[[Images, Images], Values]:
    try:
        network = Lpips.load(folder)
    except (OSError, RuntimeError, SafetensorError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ConfigurationError(f"diffusion.criterion: {folder}: {reason}") from error
    return lambda answers, references: distances(network, references, answers)


def _psnr_db(answers: Images, references: Images) -> Values:
    return psnr_db(mean_squared_errors(answers, references))
