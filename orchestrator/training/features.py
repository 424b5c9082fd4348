"""What students follow, computed once per image and kept view where the augmentation allows.

Shape legend: N images of the set, B batch, D feature width, S image size.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load as parse_safetensors
from safetensors.torch import save as format_safetensors
from torch import Tensor, nn

from orchestrator.training.artefacts import save_file
from orchestrator.training.data import Batch, EpochKey, ImageSet, Rank, augment, draw_shifts
from orchestrator.training.ranks import any_rank, gathered_rows, wait_for_all
from orchestrator.training.settings import AugmentationSettings
from orchestrator.training.whitening import FeatureWhitening, fit_feature_whitening

BATCH = 250
FEATURE_WHITENING_IMAGES = 10_000  # the first ones, as they are stored


class TeacherFeatures:
    """What students follow for any batch: a frozen teacher's h_T, whitened where that is asked."""

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

    @torch.no_grad()
    def of(self, batch: Batch) -> Tensor:
        """h_T (B, D) float32; looked up where the batch's view is kept, computed otherwise."""
        if batch.view is None:
            return self._target(self._compute(batch.images_BSS3))
        kept_ND = self._kept[batch.view]
        return kept_ND[batch.index_B.to(kept_ND.device)].float()

    def prepare(self, folder: Path, rank: Rank, report: Callable[[int, int], None]) -> None:
        """Have what `of` needs: from an earlier run's files in `folder`, or computed now.

        The features of kept views are computed by all ranks, the whitening by the first. `report`
        is called by all ranks after the same batches, as (done, total).

        Raises:
            StorageError: the disk refuses.
        """
        if self._variance_share is not None:
            self._whiten = self._fitted(self._variance_share, folder, rank)
        for view in range(self._augmentation.views):
            path = folder / f"view-{view}-{self._view_name()}.safetensors"
            if any_rank(not path.exists(), rank, self._device):
                features_ND = self._compute_view(view, rank, report)
                if rank.index == 0:
                    save_file(path, format_safetensors({"features": features_ND}))
                wait_for_all(rank)
            features_ND = parse_safetensors(path.read_bytes())["features"]
            self._kept[view] = self._target(features_ND).half()

    def _target(self, features_BD: Tensor) -> Tensor:
        return features_BD if self._whiten is None else self._whiten(features_BD)

    @torch.no_grad()
    def _fitted(self, variance_share: float, folder: Path, rank: Rank) -> FeatureWhitening:
        sample_NSS3 = self._images.images_NSS3[:FEATURE_WHITENING_IMAGES]
        path = folder / f"whitening-{len(sample_NSS3)}-{variance_share}.safetensors"
        if any_rank(not path.exists(), rank, self._device):
            if rank.index == 0:
                parts = [self._compute(part).cpu() for part in torch.split(sample_NSS3, BATCH)]
                whitening = fit_feature_whitening(torch.cat(parts), variance_share)
                save_file(path, format_safetensors(whitening.tensors()))
            wait_for_all(rank)
        return FeatureWhitening(**parse_safetensors(path.read_bytes()))

    @property
    def _device(self) -> torch.device:
        return next(self._encoder.parameters()).device

    def _view_name(self) -> str:
        """What a view's pixels depend on beside the view's number."""
        padding, flip = self._augmentation.crop_padding, self._augmentation.flip
        return f"{len(self._images.labels_N)}-{self._seed}-{padding}-{flip}"

    def _compute_view(self, view: int, rank: Rank, report: Callable[[int, int], None]) -> Tensor:
        """(N, D) float16: each rank computes every count-th image."""
        key = EpochKey(self._seed, "view", view)
        shifts = draw_shifts(self._images, self._augmentation, key=key, view=view)
        total = len(self._images.labels_N)
        mine = torch.arange(rank.index, total, rank.count)
        parts: list[Tensor] = []
        batches = max(1, total // (rank.count * BATCH))  # that every rank has
        for number, first in enumerate(range(0, len(mine), BATCH)):
            if number < batches:
                report(view * batches + number, self._augmentation.views * batches)
            chosen = mine[first : first + BATCH]
            images_BSS3 = augment(self._images.images_NSS3[chosen], shifts.of(chosen))
            with torch.no_grad():
                parts.append(self._compute(images_BSS3).half())
        return gathered_rows(torch.cat(parts), rank, total).cpu()

    def _compute(self, images_BSS3: Tensor) -> Tensor:
        prepared = self._prepare(images_BSS3)
        with torch.autocast(prepared.device.type, dtype=torch.bfloat16, enabled=self._bf16):
            features_BD: Tensor = self._encoder(prepared)
        return features_BD.float()
