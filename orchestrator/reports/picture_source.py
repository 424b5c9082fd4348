"""Kept images of a run in the order of the data set, so that links can be compared.

Where items are tiles of larger images, images are put together of their tiles.

Shape legend: N images of a link in the order of the data set.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from orchestrator.measures.kinds import MEASURES
from orchestrator.measures.values import measured
from orchestrator.measures.whole_images import WholeImages
from orchestrator.plan.plan import PlannedLink
from orchestrator.results.answers import KeptAnswers
from orchestrator.results.frame_rows import FrameRow
from orchestrator.results.run_folder import StoredRun
from semcom.shards import Shard
from semcom.tasks.metric import Metric
from semcom.tasks.reconstruction import (
    PSNR,
    SSIM,
    mean_squared_errors,
    psnr_db,
    ssim,
)

Images = npt.NDArray[np.uint8]
Values = npt.NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Received:
    """An image as one series received it.

    Attributes:
        image: uint8 (H, W, C).
        values: metrics of this image alone, PSNR first.
    """

    image: Images
    values: Mapping[Metric, float]


class Series(NamedTuple):
    """A link with one of its codecs."""

    link: str
    codec: str


class Place(NamedTuple):
    """A point of a series."""

    series: Series
    channel: str
    snr_db: float
    seed: int


class PictureSource:
    """Reads kept answers in the order of the data set, so that links can be compared."""

    def __init__(
        self,
        run: StoredRun,
        kept: KeptAnswers,
        rows: Mapping[tuple[str, int], Sequence[FrameRow]],
        shard: Shard,
    ) -> None:
        self.run, self.shard = run, shard
        self._kept, self._rows = kept, rows
        self._last: tuple[tuple[str, int, int], Images] = (("", 0, 0), np.empty(0, np.uint8))
        self._tiled = shard.tiled
        shown = "image" if self._tiled else "item"
        self._measures = {
            metric: each.by_place
            for name, each in measured(run).items()
            if MEASURES[name].per == shown and (metric := _metric_of(name)) is not None
        }
        plan = run.summary.plan
        self.points: dict[Place, int] = {}
        for link in plan.links:
            for point in plan.points_of(link):
                spec = plan.points[point].spec
                series = Series(link, plan.codec_at(link, point).name)
                place = Place(series, spec.label, spec.snr_db, spec.seed)
                self.points.setdefault(place, point)

    def channels(self, links: Sequence[str]) -> list[str]:
        """Return the channels of links."""
        return list(dict.fromkeys(p.channel for p in self.points if p.series.link in links))

    @property
    def tile_side(self) -> int | None:
        """Return the pixels per side of the tiles that were sent; None where items are images."""
        return self.shard.manifest.image_size if self._tiled else None

    def count(self, link: str) -> int:
        """Return how many images a link sent; none where it did not send all tiles of one."""
        return len(self._whole(link).images) if self._tiled else self._planned(link).images

    def sent(self, link: str, index: int) -> Images:
        """Return an image (H, W, C) of the data set."""
        if not self._tiled:
            image: Images = self.shard.images_NHWC[index]
            return image
        at = self._whole(link).images[index]
        return at.joined(self.shard.images_NHWC[at.first : at.end])

    def psnr_db(self, link: str, point: int) -> Values:
        """Return the PSNR of all images (N,) in the order of the data set."""
        plan = self.run.summary.plan
        rows = sorted(self._rows[link, point], key=lambda row: row.frame)
        answers = [self._kept.parse(row) for row in rows]
        if self._tiled:
            whole, tiles_NTTC = self._whole(link), np.concatenate(answers)
            found = [
                self._psnr_db(whole.joined(tiles_NTTC, each), self.sent(link, index))
                for index, each in enumerate(whole.images)
            ]
            return np.array(found)
        values = [
            psnr_db(
                mean_squared_errors(answer, plan.items(link, row.frame).cut(self.shard.images_NHWC))
            )
            for row, answer in zip(rows, answers, strict=True)
        ]
        return np.roll(np.concatenate(values), self._planned(link).offset)

    def received(self, link: str, point: int, index: int) -> Received:
        """Return one image with its metrics."""
        planned, sent = self._planned(link), self.sent(link, index)
        number = (index - planned.offset) % planned.images
        if self._tiled:
            whole, number = self._whole(link), index
            at = whole.images[index]
            tiles = [self._answer(link, point, place) for place in whole.places(at).tolist()]
            image = at.joined(np.stack(tiles))
        else:
            image = self._answer(link, point, number)
        values = {
            PSNR: self._psnr_db(image, sent),
            SSIM: float(ssim(image[None], sent[None])[0]),
        }
        for metric, found in self._measures.items():
            if (link, point) in found:
                values[metric] = float(found[link, point][number])
        return Received(image=image, values=values)

    def _answer(self, link: str, point: int, number: int) -> Images:
        """Return the answer to the item that a link sent as its `number`-th."""
        frame, row = divmod(number, self.run.summary.plan.frame_images)
        if (link, point, frame) != self._last[0]:
            (stored,) = (each for each in self._rows[link, point] if each.frame == frame)
            self._last = (link, point, frame), self._kept.parse(stored)
        answer: Images = self._last[1][row]
        return answer

    def _planned(self, link: str) -> PlannedLink:
        return self.run.summary.plan.links[link]

    def _whole(self, link: str) -> WholeImages:
        return WholeImages(self._tiled, self._planned(link))

    @staticmethod
    def _psnr_db(image: Images, sent: Images) -> float:
        return float(psnr_db(mean_squared_errors(image[None], sent[None]))[0])


def _metric_of(name: str) -> Metric | None:
    """Return the metric by which single pictures are described, of items as of whole images."""
    measure = MEASURES[name]
    same: dict[str, Metric | None] = {each.name: each.metric for each in MEASURES.values()}
    same |= {"psnr": PSNR, "ssim": SSIM}
    return same[measure.computes]
