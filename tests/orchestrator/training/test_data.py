"""Batches, augmentation and kept views: keyed, and the same whatever the number of ranks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from orchestrator.training.data import (
    Batch,
    Epoch,
    EpochKey,
    ImageSet,
    Rank,
    Shifts,
    augment,
    draw_shifts,
)
from orchestrator.training.features import TeacherFeatures
from orchestrator.training.settings import AugmentationSettings
from orchestrator.training.whitening import fit_feature_whitening

ALONE = Rank()
KEY = EpochKey(seed=0, stage="stage1", epoch=3)
SETTINGS = AugmentationSettings(crop_padding=4, flip="random")


@pytest.fixture(scope="module")
def images(data_dir: Path) -> ImageSet:
    return ImageSet(data_dir / "shapes10", "train", limit=100)


def epoch(images: ImageSet, *, rank: Rank = ALONE, key: EpochKey = KEY, views: int = 0) -> Epoch:
    settings = SETTINGS.model_copy(update={"views": views})
    return Epoch(images, settings, key=key, batch=32, views=views > 0, rank=rank)


def test_an_epoch_is_keyed_and_visits_each_image_at_most_once(images: ImageSet) -> None:
    batches = [epoch(images)[step] for step in range(3)]
    seen = torch.cat([batch.index_B for batch in batches])
    assert len(epoch(images)) == 3
    assert len(seen) == len(seen.unique()) == 96
    again = epoch(images)[1]
    assert torch.equal(again.images_BSS3, batches[1].images_BSS3)
    other = epoch(images, key=EpochKey(0, "stage1", 4))[1]
    assert not torch.equal(other.index_B, batches[1].index_B)
    with pytest.raises(IndexError):
        epoch(images)[3]


def test_ranks_together_hold_the_batch_of_one_rank_and_its_random_numbers(
    images: ImageSet,
) -> None:
    whole = epoch(images)[2]
    parts: list[Batch] = [epoch(images, rank=Rank(index, 4))[2] for index in range(4)]
    for name in ("images_BSS3", "labels_B", "index_B"):
        assert torch.equal(torch.cat([getattr(p, name) for p in parts]), getattr(whole, name))
    assert torch.equal(torch.cat([p.uniform("snr") for p in parts]), whole.uniform("snr"))
    assert {p.choice(1000, "model") for p in parts} == {whole.choice(1000, "model")}
    assert [p.first for p in parts] == [0, 8, 16, 24]


def test_alternating_flips_mirror_every_image_in_every_second_epoch(images: ImageSet) -> None:
    settings = AugmentationSettings(flip="alternating")
    flips = [
        draw_shifts(images, settings, key=EpochKey(0, "jscc", e), view=None).flip_N
        for e in range(3)
    ]
    assert torch.equal(flips[0], ~flips[1])
    assert torch.equal(flips[0], flips[2])
    assert 20 < int(flips[0].sum()) < 80


def test_a_crop_is_a_window_of_the_reflected_image_and_a_flip_its_mirror() -> None:
    rng = np.random.default_rng(0)
    batch = torch.from_numpy(rng.integers(0, 256, (2, 8, 8, 3), dtype=np.uint8))
    shifts = Shifts(
        padding=2,
        top_N=torch.tensor([0, 3]),
        left_N=torch.tensor([4, 1]),
        flip_N=torch.tensor([False, True]),
    )
    out = augment(batch, shifts).numpy()
    padded = np.pad(batch.numpy(), ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(out[0], padded[0, 0:8, 4:12])
    np.testing.assert_array_equal(out[1], padded[1, 3:11, 1:9][:, ::-1])


def test_no_augmentation_leaves_the_pixels_alone(images: ImageSet) -> None:
    settings = AugmentationSettings(crop_padding=0, flip="none")
    shifts = draw_shifts(images, settings, key=KEY, view=None)
    assert torch.equal(augment(images.images_NSS3, shifts), images.images_NSS3)


@pytest.fixture
def encoder() -> torch.nn.Sequential:
    """A teacher of one layer."""
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 8))


def teacher_features(
    encoder: torch.nn.Module, images: ImageSet, *, views: int, whitening: float | None = None
) -> TeacherFeatures:
    return TeacherFeatures(
        encoder,
        lambda pixels: pixels.float() / 255.0,
        images=images,
        augmentation=SETTINGS.model_copy(update={"views": views}),
        seed=0,
        bf16=False,
        whitening=whitening,
    )


@pytest.mark.parametrize("views", [0, 2])
def test_students_follow_the_whitened_feature_where_it_is_asked_for(
    views: int, encoder: torch.nn.Sequential, images: ImageSet, tmp_path: Path
) -> None:
    raw = teacher_features(encoder, images, views=views)
    whitened = teacher_features(encoder, images, views=views, whitening=0.99)
    for features in (raw, whitened):
        features.prepare(tmp_path, Rank(), lambda done, total: None)
    plain = encoder(images.images_NSS3.float() / 255.0).detach()
    whitening = fit_feature_whitening(plain, 0.99)
    batch = epoch(images, key=EpochKey(0, "stage1", 1), views=views)[0]
    expected = whitening(raw.of(batch))
    assert (expected - raw.of(batch)).abs().mean() > 0.1
    torch.testing.assert_close(whitened.of(batch), expected, rtol=1e-2, atol=1e-2)


def test_kept_features_are_those_computed_for_the_same_view(
    encoder: torch.nn.Sequential, images: ImageSet, tmp_path: Path
) -> None:
    kept = teacher_features(encoder, images, views=2)
    kept.prepare(tmp_path, Rank(), lambda done, total: None)
    for number in (2, 3, 4):
        batch = epoch(images, key=EpochKey(0, "stage1", number), views=2)[0]
        assert batch.view == number % 2
        fresh = encoder(batch.images_BSS3.float() / 255.0)
        torch.testing.assert_close(kept.of(batch), fresh.detach(), rtol=2e-3, atol=2e-3)
    assert len(list(tmp_path.glob("view-*.safetensors"))) == 2
    encoder[1].weight.data.zero_()  # files are taken over, not computed again
    again = teacher_features(encoder, images, views=2)
    again.prepare(tmp_path, Rank(), lambda done, total: None)
    assert torch.equal(again.of(batch), kept.of(batch))
