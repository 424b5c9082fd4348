"""A user's own images in tiles: any size, any layout, and what is said of them."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from orchestrator.datasets.own_tiles import NO_CLASSES
from semcom.errors import ConfigurationError
from semcom.shards import Shard
from tests.orchestrator.datasets import fakes
from tests.orchestrator.datasets.own_images import fill, image, made, sizes


@pytest.fixture
def photos(tmp_path):
    """A flat folder of images of three sizes."""
    folder = tmp_path / "from"
    folder.mkdir()
    for seed, size in enumerate([(48, 32), (32, 48), (48, 32), (50, 20)]):
        image(seed, size).save(folder / f"{seed}.png")
    return folder


def whole(tmp_path, split="test"):
    shard = Shard(tmp_path / "data" / "mine", split)
    return [each.joined(shard.images_NHWC[each.first : each.end]) for each in shard.tiled]


def test_images_of_any_size_become_test_images_in_tiles(tmp_path, photos, caplog):
    manifest = made(tmp_path, photos, tiles=16)
    assert (manifest.format, manifest.image_size, manifest.classes) == (4, 16, [])
    assert sizes(manifest) == {"test": 3 * 6 + 2 * 4}
    found = {each.tobytes() for each in whole(tmp_path)}
    assert found == {np.asarray(Image.open(path)).tobytes() for path in photos.glob("*.png")}
    assert caplog.messages == ["mine: 4 test images"]


def test_a_share_of_the_images_is_held_out_where_it_is_asked_for(tmp_path, photos):
    made(tmp_path, photos, tiles=16, test_share=0.25)
    assert (len(whole(tmp_path, "train")), len(whole(tmp_path))) == (3, 1)


def test_splits_are_kept_and_classes_are_not(tmp_path, caplog):
    fill(tmp_path / "from" / "train", 2)
    fill(tmp_path / "from" / "test", 1, first=50)
    manifest = made(tmp_path, tmp_path / "from", tiles=8)
    assert sizes(manifest) == {"train": 4 * 4, "test": 2 * 4}
    assert caplog.messages == [f"mine: {NO_CLASSES.format(2)}"]
    assert NO_CLASSES.format(2) in manifest.source
    with pytest.raises(ConfigurationError, match="--test-share has no effect"):
        made(tmp_path, tmp_path / "from", tiles=8, test_share=0.5)


def test_a_published_set_is_cut_under_another_name(tmp_path):
    splits = {"train": fakes.random_split(20, 10), "test": fakes.random_split(10, 10, seed=1)}
    folder = tmp_path / "from" / "cifar"
    fakes.write_cifar10_binary(folder, fakes.CIFAR10_NAMES, splits)
    manifest = made(tmp_path, tmp_path / "from", tiles=16)
    assert sizes(manifest) == {"train": 20 * 4, "test": 10 * 4}
    assert {each.tobytes() for each in whole(tmp_path)} == {
        each.tobytes() for each in splits["test"][0]
    }


def test_what_cannot_be_used_is_a_line_of_each_kind(tmp_path, photos, caplog):
    image(9, (10, 40)).save(photos / "thin.png")
    (photos / "empty.png").touch()
    made(tmp_path, photos, tiles=16)
    assert "mine: 1 left out: smaller than 11x11 pixels; it is thin.png" in caplog.messages
    assert "mine: 1 left out: empty; it is empty.png" in caplog.messages
    assert len(whole(tmp_path)) == 4


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"tiles": 4}, "--tiles 4: images have 8 to 1,024 pixels per side"),
        ({"tiles": 16, "size": 16}, "--size and --tiles: an image is resized or cut, not both"),
    ],
)
def test_options_that_do_not_fit_are_told(tmp_path, photos, options, told):
    with pytest.raises(ConfigurationError) as refused:
        made(tmp_path, photos, **options)
    assert str(refused.value) == told
    assert not (tmp_path / "data" / "mine").exists()


def test_a_source_without_usable_images_is_told(tmp_path):
    (tmp_path / "from").mkdir()
    image(1, (10, 40)).save(tmp_path / "from" / "thin.png")
    with pytest.raises(ConfigurationError, match="no train images that can be used: 1 left out"):
        made(tmp_path, tmp_path / "from", tiles=16)
