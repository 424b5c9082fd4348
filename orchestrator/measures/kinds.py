"""The available measures: their tasks and the weights that they need.

A measure compares every kept answer with what was sent. Most give a value per item, which becomes a
Metric like those of the task; a Frechet distance compares all images of a point at once. Where
items are tiles of larger images (`semcom.tiles`), some give a value per image after its tiles were
put together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from orchestrator.measures.weights import (
    EFFICIENTNET_LITE0,
    INCEPTION,
    LPIPS_ALEXNET,
    MINILM,
    AnyWeights,
)
from semcom.errors import ConfigurationError
from semcom.measure_messages import MeasureName
from semcom.tasks.metric import Metric, mean
from semcom.tasks.reconstruction import PSNR, SSIM, Reconstruction
from semcom.tasks.task import Task

STEP = 2.0**-24  # of sums: squares of 4,096 items fit 63 bits
WHOLE_STEP = 2.0**-16  # of values in dB
LEAST_MS_SSIM = 161  # pixels per side: 11 are left after four halvings
LEAST_FRECHET = 2000  # images, for a covariance of 1,280 features
LEAST_FID = 2048  # images, as many as its features


Per = Literal["item", "image", "point"]


@dataclass(frozen=True, kw_only=True)
class Measure:
    """A metric that is computed from kept answers.

    Attributes:
        name: name in files, columns and commands.
        title: name in reports.
        task: kind of the task whose answers it compares.
        computes: what the measuring process is asked for.
        weights: what it needs; None where it is a formula.
        per: what has a value: each item, each image whose tiles are items, or a point as a whole.
        metric: of its values; None where a point has one value.
        digits: after the point, where a value of a point is printed.
        least_side: pixels per side that images have at least.
        least_items: items of a point that it takes at least.
    """

    name: str
    title: str
    task: str
    computes: MeasureName
    weights: AnyWeights | None
    per: Per = "item"
    metric: Metric | None = None
    digits: int = 4
    least_side: int = 1
    least_items: int = 1

    def unfit(self, task: Task, items: int) -> str:
        """Return why points with this many items cannot be measured; empty if they can."""
        if items < self.least_items:
            return f"{self.name} needs at least {self.least_items:,} items, this run has {items:,}"
        if isinstance(task, Reconstruction) and self.per != "image":
            return self.unfit_size(*task.shape[:2])
        return ""

    def unfit_size(self, height: int, width: int) -> str:
        """Return why images of a size cannot be measured; empty where they can."""
        if min(height, width) >= self.least_side:
            return ""
        return (
            f"{self.name} needs images of at least {self.least_side} pixels per side, "
            f"these have {height}x{width}"
        )


def whole_count(name: str) -> str:
    """Return the sum that counts the images of a measure of whole images."""
    return f"{name}_images"


def _metric(name: str, title: str, *, better_is_higher: bool) -> Metric:
    value, interval = mean(name, STEP)
    return Metric(
        name=name,
        title=title,
        unit="",
        better="higher" if better_is_higher else "lower",
        digits=4,
        limits=(None, 1.0) if better_is_higher else (0.0, None),
        value=value,
        interval=interval,
        of=name,
        step=STEP,
    )


def _whole(metric: Metric, computes: MeasureName, *, least_side: int = 1) -> Measure:
    """Return the measure of whole images that has the metric of single items."""
    name, step = f"image_{computes}", WHOLE_STEP if metric.unit else STEP
    value, interval = mean(name, step, per=whole_count(name))
    title = f"{metric.title} of whole images"
    return Measure(
        name=name,
        title=title,
        task="reconstruction",
        computes=computes,
        weights=LPIPS_ALEXNET if computes == "lpips" else None,
        per="image",
        metric=replace(
            metric, name=name, title=title, value=value, interval=interval, of=None, step=step
        ),
        least_side=least_side,
    )


_LPIPS = _metric("lpips", "LPIPS", better_is_higher=False)
_MS_SSIM = _metric("ms_ssim", "MS-SSIM", better_is_higher=True)
LPIPS = Measure(
    name="lpips",
    title="LPIPS",
    task="reconstruction",
    computes="lpips",
    weights=LPIPS_ALEXNET,
    metric=_LPIPS,
)
MS_SSIM = Measure(
    name="ms_ssim",
    title="MS-SSIM",
    task="reconstruction",
    computes="ms_ssim",
    weights=None,
    metric=_MS_SSIM,
    least_side=LEAST_MS_SSIM,
)
FD_EFFNETLITE0 = Measure(
    name="fd_effnetlite0",
    title="Frechet distance, EfficientNet-Lite0",
    task="reconstruction",
    computes="fd_effnetlite0",
    weights=EFFICIENTNET_LITE0,
    per="point",
    digits=2,
    least_items=LEAST_FRECHET,
)
FID = Measure(
    name="fid",
    title="FID",
    task="reconstruction",
    computes="fid",
    weights=INCEPTION,
    per="point",
    digits=2,
    least_items=LEAST_FID,
)
SIMILARITY = Measure(
    name="similarity",
    title="Similarity",
    task="text",
    computes="similarity",
    weights=MINILM,
    metric=_metric("similarity", "Sentence similarity", better_is_higher=True),
)
WHOLE = (
    _whole(PSNR, "psnr"),
    _whole(SSIM, "ssim"),
    _whole(_MS_SSIM, "ms_ssim", least_side=LEAST_MS_SSIM),
    _whole(_LPIPS, "lpips"),
)
MEASURES = {each.name: each for each in (LPIPS, MS_SSIM, FD_EFFNETLITE0, FID, *WHOLE, SIMILARITY)}


def named(names: Sequence[str]) -> list[Measure]:
    """Return measures by their names.

    Raises:
        ConfigurationError: there is no measure with one of the names.
    """
    for name in names:
        if name not in MEASURES:
            raise ConfigurationError(f"no measure '{name[:40]}'; available: {', '.join(MEASURES)}")
    return [MEASURES[name] for name in dict.fromkeys(names)]
