"""The transmitter's images: cut into frames, judged against labels that stay here, prepared."""

from __future__ import annotations

import numpy as np
import pytest

from semcom.shards import Shard, Span, write_dataset
from semcom.tasks.classification import Classification
from semcom.tasks.reconstruction import Reconstruction
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
    assert np.array_equal(source.images(Span(0, 25, of=25)), shard.images_NHWC)
    assert np.array_equal(source.images(Span(10, 10, of=25)), shard.images_NHWC[10:20])
    assert source.images(Span(20, 5, of=25)).shape == (5, 8, 8, 3)
    assert source.images(Span(0, 1, of=25)).dtype == np.uint8


def test_references_are_the_labels_or_the_images_themselves(folder, source):
    shard = Shard(folder, "test")
    labels = source.references(Classification(classes=5), Span(5, 7, of=25))
    assert np.array_equal(labels, shard.labels_N[5:12])
    images = source.references(Reconstruction(shape=(16, 16, 3)), Span(20, 5, of=25))
    assert np.array_equal(images, shard.images_NHWC[20:25])


def test_after_the_last_item_comes_the_first(folder, source):
    shard, items = Shard(folder, "test"), Span(18, 4, of=20)
    assert np.array_equal(source.images(items), shard.images_NHWC[[18, 19, 0, 1]])
    labels = source.references(Classification(classes=5), items)
    assert np.array_equal(labels, shard.labels_N[[18, 19, 0, 1]])
