"""The features that students follow, computed once per image and kept view if possible.

Shape legend: N images of the set, B batch, D feature width, S image size.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save as format_safetensors
from torch import Tensor, nn

from orchestrator.training.artefacts import read_tensors, save_file
from orchestrator.training.data import Batch, EpochKey, ImageSet, Rank, augment, draw_shifts
from orchestrator.training.ranks import any_rank, gathered_rows, wait_for_all
from orchestrator.training.settings import AugmentationSettings
from orchestrator.training.whitening import FeatureWhitening, fit_feature_whitening

BATCH = 250
FEATURE_WHITENING_IMAGES = 10_000  # the first ones, as stored


class TeacherFeatures:
    """The features that students follow: a frozen teacher's h_T, whitened if requested."""

    def __init__(
        self,
        encoder: nn.Module,
        prepare: Callable[[Tensor], Tensor],
        *,
        images: ImageSet,
        augmentation: AugmentationSettings,
        seed: int,
        bf16: bool,
        whitening: float | None = None,
    ) -> None:
        self._encoder = encoder.eval().requires_grad_(False)
        self._prepare = prepare
        self._images = images
        self._augmentation = augmentation
        self._seed = seed
        self._bf16 = bf16
        self._variance_share = whitening
        self._whiten: FeatureWhitening | None = None
        self._kept: dict[int, Tensor] = {}
        self._prepared = False

    @torch.no_grad()
    def of(self, batch: Batch) -> Tensor:
        """Return h_T (B, D) float32, looked up if the batch's view is kept, otherwise computed."""
        if batch.view is None:
            return self._target(self._compute(batch.images_BSS3))
        kept_ND = self._kept[batch.view]
        return kept_ND[batch.index_B.to(kept_ND.device)].float()

    def kept(self, view: int) -> Tensor:
        """Return the features (N, D) float16 of a kept view, once they are prepared."""
        return self._kept[view]

    def prepare(self, folder: Path, rank: Rank, report: Callable[[int, int], None]) -> None:
        """Load what `of` needs from an earlier run's files in `folder`, or compute it.

        All ranks compute, and call `report` with (done, total) before the same images and at the
        end; not at all if everything exists.

        Raises:
            StorageError: the disk cannot be written.
        """
        if self._prepared:
            return
        images = len(self._images.labels_N)
        share, views = self._variance_share, self._augmentation.views
        sample = 0 if share is None else min(images, FEATURE_WHITENING_IMAGES)

        total = sample + views * images
        computed = False

        def after(before: int) -> Callable[[int], None]:
            def report_part(done: int) -> None:
                nonlocal computed
                computed = True
                report(before + done, total)

            return report_part

        if share is not None:
            path = folder / f"whitening-{sample}-{share}.safetensors"
            compute = partial(self._fit, sample, share, rank, after(0))
            self._whiten = FeatureWhitening(**self._kept_file(path, rank, compute))
        for view in range(views):
            path = folder / f"view-{view}-{self._view_name()}.safetensors"
            compute = partial(self._compute_view, view, rank, after(sample + view * images))
            features_ND = self._kept_file(path, rank, compute)["features"]
            self._kept[view] = self._target(features_ND).half()
        self._prepared = True
        if computed:
            report(total, total)

    def _kept_file(
        self, path: Path, rank: Rank, compute: Callable[[], dict[str, Tensor]]
    ) -> dict[str, Tensor]:
        """Return tensors of a file.

        If it does not exist, all ranks compute them and the first writes it.
        """
        if any_rank(not path.exists(), rank, self._device):
            tensors = compute()
            if rank.index == 0:
                save_file(path, format_safetensors(tensors))
            wait_for_all(rank)
        return read_tensors(path)

    def _target(self, features_BD: Tensor) -> Tensor:
        return features_BD if self._whiten is None else self._whiten(features_BD)

    def _fit(
        self, sample: int, variance_share: float, rank: Rank, report: Callable[[int], None]
    ) -> dict[str, Tensor]:
        """Return the whitening of the first `sample` images, as stored."""
        features_ND = self._of_all(sample, rank, report, lambda at: self._images.images_NSS3[at])
        return fit_feature_whitening(features_ND, variance_share).tensors()

    def _compute_view(
        self, view: int, rank: Rank, report: Callable[[int], None]
    ) -> dict[str, Tensor]:
        """Return features (N, D) float16 of a kept view."""
        key = EpochKey(self._seed, "view", view)
        shifts = draw_shifts(self._images, self._augmentation, key=key, view=view)
        images_NSS3 = self._images.images_NSS3
        features_ND = self._of_all(
            len(images_NSS3),
            rank,
            report,
            lambda at: augment(images_NSS3[at], shifts.of(at)),
            torch.float16,
        )
        return {"features": features_ND}

    @torch.no_grad()
    def _of_all(
        self,
        total: int,
        rank: Rank,
        report: Callable[[int], None],
        images_at: Callable[[Tensor], Tensor],
        kept_as: torch.dtype = torch.float32,
    ) -> Tensor:
        """(total, D) of the first images: each rank computes every count-th."""
        mine = torch.arange(rank.index, total, rank.count)
        batches = max(1, total // (rank.count * BATCH))  # the same number on every rank
        parts: list[Tensor] = []
        for chosen in torch.split(mine, BATCH):
            if len(parts) < batches:
                report(len(parts) * BATCH * rank.count)
            parts.append(self._compute(images_at(chosen)).to(kept_as))
        return gathered_rows(torch.cat(parts), rank, total).cpu()

    @property
    def _device(self) -> torch.device:
        return next(self._encoder.parameters()).device

    def _view_name(self) -> str:
        """Return everything that a view's pixels depend on, besides the view's number."""
        padding, flip = self._augmentation.crop_padding, self._augmentation.flip
        return f"{len(self._images.labels_N)}-{self._seed}-{padding}-{flip}"

    def _compute(self, images_BSS3: Tensor) -> Tensor:
        prepared = self._prepare(images_BSS3)
        with torch.autocast(prepared.device.type, dtype=torch.bfloat16, enabled=self._bf16):
            features_BD: Tensor = self._encoder(prepared)
        return features_BD.float()
