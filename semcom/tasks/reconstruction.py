"""Reconstruction: the image itself is recovered and compared with the one sent.

All values are of uint8 images; the peak is 255. Per image:

* MSE: mean of the squared differences over all pixels and channels.
* PSNR = 10 log10(255^2 / MSE) in dB, at most `LOSSLESS_DB`.
* SSIM of Wang et al., "Image quality assessment" (2004): 11x11 Gaussian window of sigma 1.5,
  K1 = 0.01, K2 = 0.03, mean over the positions where the window fits and over channels.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from semcom.tasks.form import MAX_SIDE, AnswerForm
from semcom.tasks.metric import Metric, mean
from semcom.tasks.score import ITEMS, Score
from semcom.tasks.task import Reference, Task

PEAK = 255.0
LOSSLESS_DB = 100.0  # higher values, such as that of an image without errors, count as this
# Steps of the sums: finer than any difference that matters; squares of 4,096 items fit 63 bits.
PSNR_STEP_DB = 2.0**-16
SSIM_STEP = 2.0**-24
MSE_STEP = 2.0**-8

WINDOW, SIGMA = 11, 1.5
C1, C2 = (0.01 * PEAK) ** 2, (0.03 * PEAK) ** 2

Images = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]
Side = Annotated[int, Field(ge=WINDOW, le=MAX_SIDE)]

_psnr, _psnr_interval = mean("psnr", PSNR_STEP_DB)
_ssim, _ssim_interval = mean("ssim", SSIM_STEP, limits=(None, 1.0))
_mse, _mse_interval = mean("mse", MSE_STEP, limits=(0.0, None))
PSNR = Metric(
    name="psnr", title="PSNR", unit="dB", better="higher", digits=2, limits=(None, None),
    value=_psnr, interval=_psnr_interval, of="psnr", step=PSNR_STEP_DB,
)  # fmt: skip
SSIM = Metric(
    name="ssim", title="SSIM", unit="", better="higher", digits=4, limits=(None, 1.0),
    value=_ssim, interval=_ssim_interval, of="ssim", step=SSIM_STEP,
)  # fmt: skip
MSE = Metric(
    name="mse", title="MSE", unit="", better="lower", digits=1, limits=(0.0, None),
    value=_mse, interval=_mse_interval, of="mse", step=MSE_STEP,
)  # fmt: skip


class Reconstruction(Task):
    """An image of `shape` for every image; the reference is the image sent."""

    METRICS: ClassVar[tuple[Metric, ...]] = (PSNR, SSIM, MSE)
    SUMS: ClassVar[tuple[str, ...]] = (
        ITEMS, "psnr", "psnr_squares", "ssim", "ssim_squares", "mse", "mse_squares",
    )  # fmt: skip
    REFERENCE: ClassVar[Reference] = "items"

    kind: Literal["reconstruction"] = "reconstruction"
    shape: tuple[Side, Side, Literal[1, 3]] = Field(description="height, width, channels")

    @property
    def form(self) -> AnswerForm:
        """A uint8 image per item."""
        return AnswerForm(dtype="uint8", shape=self.shape)

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Height, width, channels."""
        return self.shape

    def answers(self, outputs: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return pixels: float32 (N, H, W, C) of 0..1, clipped and rounded -> uint8."""
        pixels: Images = np.rint(np.clip(outputs, 0.0, 1.0) * np.float32(PEAK)).astype(np.uint8)
        return pixels

    def check(self, answers: npt.NDArray[Any]) -> None:
        """Accept every uint8 image."""

    def judge(self, answers: npt.NDArray[Any], references: npt.NDArray[Any]) -> Score:
        """Compare images with those sent: uint8 (N, H, W, C) each."""
        mse_N = mean_squared_errors(answers, references)
        values = {
            "psnr": _steps(psnr_db(mse_N), PSNR_STEP_DB),
            "ssim": _steps(ssim(answers, references), SSIM_STEP),
            "mse": _steps(mse_N, MSE_STEP),
        }
        sums = {name: sum(steps) for name, steps in values.items()}
        squares = {f"{name}_squares": sum(s * s for s in steps) for name, steps in values.items()}
        return {ITEMS: len(answers), **sums, **squares}


def mean_squared_errors(answers_NHWC: Images, references_NHWC: Images) -> Values:
    """Return the mean squared error of each image, float64 (N,)."""
    difference = answers_NHWC.astype(np.int32) - references_NHWC.astype(np.int32)
    totals_N = np.square(difference, dtype=np.int64).sum(axis=(1, 2, 3))
    errors: Values = totals_N / difference[0].size if len(difference) else np.zeros(0)
    return errors


def psnr_db(mse_N: Values) -> Values:
    """Return the PSNR of each image in dB, at most LOSSLESS_DB."""
    with np.errstate(divide="ignore"):
        return np.minimum(LOSSLESS_DB, 10.0 * np.log10(PEAK * PEAK / mse_N))


def ssim(answers_NHWC: Images, references_NHWC: Images) -> Values:
    """Return the SSIM of each image, float64 (N,)."""
    luminance, structure = ssim_maps(
        answers_NHWC.astype(np.float64), references_NHWC.astype(np.float64)
    )
    values: Values = (luminance * structure).mean(axis=(1, 2, 3))
    return values


def ssim_maps(x: Values, y: Values) -> tuple[Values, Values]:
    """Return both factors of SSIM, luminance and contrast-structure, at every position.

    Args:
        x: images float64 (N, H, W, C) of 0..255.
        y: the images with which they are compared.
    """
    mean_x, mean_y = _windowed(x), _windowed(y)
    xx = _windowed(x * x) - mean_x * mean_x
    yy = _windowed(y * y) - mean_y * mean_y
    xy = _windowed(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x * mean_x + mean_y * mean_y + C1)
    return luminance, (2 * xy + C2) / (xx + yy + C2)


def _windowed(images_NHWC: Values) -> Values:
    """Return the weighted mean in a Gaussian window at every position where it fits."""
    offsets = np.arange(WINDOW) - (WINDOW - 1) / 2
    weights = np.exp(-(offsets**2) / (2 * SIGMA**2))
    weights /= weights.sum()
    for axis in (1, 2):
        places = images_NHWC.shape[axis] - WINDOW + 1
        rows = (
            weight * images_NHWC.take(range(at, at + places), axis=axis)
            for at, weight in enumerate(weights)
        )
        images_NHWC = sum(rows, start=np.zeros(()))
    return images_NHWC


def _steps(values_N: Values, step: float) -> list[int]:
    return [round(value / step) for value in values_N.tolist()]
