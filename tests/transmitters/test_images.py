"""The transmitter's images: cut into frames, judged against labels that stay here, prepared."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from semcom.architecture import CLIP_MEAN, CLIP_STD, InputSpec
from semcom.errors import ConfigurationError
from semcom.nn.image_input import prepare_images
from semcom.shards import Shard, write_dataset
from transmitters.images import FrameSource


@pytest.fixture
def folder(tmp_path):
    """A data set of 25 images of 5 classes."""
    images = np.random.default_rng(1).integers(0, 256, size=(25, 8, 8, 3), dtype=np.uint8)
    labels = (np.arange(25) % 5).astype(np.uint16)
    write_dataset(
        tmp_path,
        name="set",
        classes=list("abcde"),
        source="a test",
        splits={"train": (images[:10], labels[:10]), "test": (images, labels)},
    )
    return tmp_path


@pytest.fixture
def source(folder):
    return FrameSource(folder, digest=Shard(folder, "test").digest)


def test_frames_are_the_test_images_in_canonical_order(folder, source):
    shard = Shard(folder, "test")
    assert np.array_equal(source.images(0, 25), shard.images_NHWC)
    assert np.array_equal(source.images(10, 10), shard.images_NHWC[10:20])
    assert source.images(20, 5).shape == (5, 8, 8, 3)
    assert source.images(0, 1).dtype == np.uint8


def test_counts_predictions_that_agree_with_the_labels_of_those_images(folder, source):
    labels = np.array(Shard(folder, "test").labels_N)
    assert source.count_correct(0, labels) == 25
    assert source.count_correct(5, labels[5:12]) == 7
    assert source.count_correct(5, (labels[5:12] + 1) % 5) == 0
    half_wrong = labels[20:25].copy()
    half_wrong[:2] = 4 - half_wrong[:2] + 5
    assert source.count_correct(20, half_wrong) == 3
    assert source.count_correct(0, labels[1:6]) == int((labels[0:5] == labels[1:6]).sum())


def test_predictions_may_come_straight_from_the_wire(folder, source):
    predictions = Shard(folder, "test").labels_N[:3].astype("<u2").tobytes()
    assert source.count_correct(0, np.frombuffer(predictions, dtype="<u2")) == 3


def test_count_is_a_plain_number_for_the_message(source):
    assert type(source.count_correct(0, np.zeros(5, dtype=np.uint16))) is int


def test_refuses_another_data_set_than_the_run_was_planned_with(folder):
    train = Shard(folder, "train").digest
    with pytest.raises(ConfigurationError, match="prepare the same data set on both hosts"):
        FrameSource(folder, digest=train)


def test_missing_data_set_says_how_to_get_it(tmp_path):
    with pytest.raises(ConfigurationError, match="make it with: semcom data prepare none"):
        FrameSource(tmp_path / "none", digest="0" * 64)


def pixels(count: int, size: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, size, size, 3), dtype=torch.uint8, generator=generator)


def test_prepared_image_is_scaled_and_normalised_per_channel():
    images = pixels(2, 16)
    prepared = prepare_images(images, InputSpec(size=16))
    mean, std = np.array(CLIP_MEAN), np.array(CLIP_STD)
    expected = (images.numpy() / 255.0 - mean) / std
    assert prepared.dtype == torch.float32
    np.testing.assert_allclose(prepared.permute(0, 2, 3, 1).numpy(), expected, rtol=0, atol=1e-5)


def test_image_of_another_size_is_resized_and_stays_in_range():
    black_and_white = torch.zeros(1, 32, 32, 3, dtype=torch.uint8)
    black_and_white[:, :, 16:] = 255
    spec = InputSpec(size=48, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
    prepared = prepare_images(black_and_white, spec)
    assert prepared.shape == (1, 3, 48, 48)
    assert prepared.min() == 0.0
    assert prepared.max() == 1.0
    assert prepared[..., :20].abs().max() < 0.01
    assert (1 - prepared[..., 28:]).abs().max() < 0.01


def test_uniform_image_stays_uniform_when_resized():
    prepared = prepare_images(
        torch.full((1, 64, 64, 3), 51, dtype=torch.uint8),
        InputSpec(size=224, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0)),
    )
    torch.testing.assert_close(prepared, torch.full((1, 3, 224, 224), 0.2))


@pytest.mark.parametrize("size", [16, 24])
def test_preparing_images_together_or_alone_is_the_same(size):
    images, spec = pixels(5, 16), InputSpec(size=size)
    alone = torch.cat([prepare_images(image.unsqueeze(0), spec) for image in images])
    torch.testing.assert_close(prepare_images(images, spec), alone, rtol=0, atol=1e-5)
