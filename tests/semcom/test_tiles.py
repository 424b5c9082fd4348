"""Images in tiles: cutting and putting together, and data sets of them."""

from __future__ import annotations

import hashlib
import json
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.errors import ConfigurationError, StorageError
from semcom.shards import Shard, read_manifest, split_digest
from semcom.tile_shards import write_tiles
from semcom.tiles import Sizes, TiledImage, cut, sizes_of, tiled_images, tiles_in

SIDES = st.integers(1, 40)


def drawn(height: int, width: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng([seed, height, width])
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@given(SIDES, SIDES, st.integers(1, 16))
def test_tiles_put_together_are_the_image(height, width, side):
    image = drawn(height, width)
    tiles = cut(image, side)
    at = TiledImage(0, height, width, side)
    assert tiles.shape == (at.end, side, side, 3)
    np.testing.assert_array_equal(at.joined(tiles), image)
    assert tiles_in([Sizes(3, height, width)], side) == 3 * at.end


def test_tiles_are_row_by_row_and_padded_with_the_last_pixels():
    image = drawn(20, 40)
    tiles = cut(image, 16)
    assert len(tiles) == 2 * 3
    np.testing.assert_array_equal(tiles[1], image[:16, 16:32])
    np.testing.assert_array_equal(tiles[2][:, :8], image[:16, 32:])
    assert (tiles[2][:, 8:] == image[:16, 39:40]).all()
    assert (tiles[3][4:] == image[19:20, :16]).all()
    assert (tiles[5][4:, 8:] == image[19, 39]).all()


@given(st.lists(st.tuples(SIDES, SIDES), max_size=6), st.integers(1, 16))
def test_images_follow_each_other_without_a_gap(shapes, side):
    images = [drawn(*shape, seed=number) for number, shape in enumerate(shapes)]
    sizes = sizes_of(images)
    found = tiled_images(sizes, side)
    assert [(each.height, each.width) for each in found] == shapes
    assert [each.first for each in found] == [0, *(each.end for each in found[:-1])][: len(found)]
    assert tiles_in(sizes, side) == (found[-1].end if found else 0)
    assert sum(each.images for each in sizes) == len(shapes)
    assert all(a[1:] != b[1:] for a, b in pairwise(sizes))


IMAGES = [drawn(16, 24), drawn(24, 16), drawn(40, 12, 1), drawn(16, 24, 1)]


def written(root, images=IMAGES, **changes):
    settings = {"name": "mosaics", "source": "a test", "side": 16, "splits": {"test": images}}
    return write_tiles(root, **(settings | changes))


def test_a_data_set_gives_back_every_image_in_canonical_order(tmp_path):
    manifest = written(tmp_path)
    shard = Shard(tmp_path, "test")
    found = [each.joined(shard.images_NHWC[each.first : each.end]) for each in shard.tiled]
    assert {each.tobytes() for each in found} == {each.tobytes() for each in IMAGES}
    assert written(tmp_path / "turned", IMAGES[::-1]).splits == manifest.splits
    assert manifest.summary == "4 test images in tiles of 16x16: 9 test tiles"


def test_digest_covers_how_tiles_make_up_images(tmp_path):
    tall = written(tmp_path / "tall", [drawn(32, 16)])
    wide = written(tmp_path / "wide", [cut(drawn(32, 16), 16).swapaxes(0, 1).reshape(16, 32, 3)])
    one, other = (Shard(tmp_path / name, "test") for name in ("tall", "wide"))
    np.testing.assert_array_equal(one.images_NHWC, other.images_NHWC)
    assert tall.splits["test"].sha256 != wide.splits["test"].sha256
    sizes = np.array([[1, 32, 16]], "<u4").tobytes()
    content = one.labels_N.tobytes() + one.images_NHWC.tobytes() + sizes
    assert one.digest == one.computed_digest() == hashlib.sha256(content).hexdigest()
    plain = split_digest(np.array(one.images_NHWC), np.array(one.labels_N))
    assert plain != one.digest


def test_other_sizes_in_the_manifest_are_another_digest(tmp_path):
    written(tmp_path, [drawn(32, 16)])
    path = tmp_path / "dataset.json"
    content = json.loads(path.read_text())
    assert (content["format"], content["image_size"]) == (4, 16)
    content["splits"]["test"]["tiled"] = [[1, 16, 32]]
    path.write_text(json.dumps(content))
    shard = Shard(tmp_path, "test")
    assert shard.computed_digest() != shard.digest


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"format": 2}, "splits.test.tiled: required in format 4, allowed in no other"),
        ({"tiled": None}, "splits.test.tiled: required in format 4, allowed in no other"),
        ({"tiled": [[1, 32, 32]]}, "splits.test.tiled: these are not 2 tiles"),
        ({"tiled": [[1, 10, 32]]}, "greater than or equal to 11"),
        ({"tiled": []}, "at least 1 item"),
        ({"classes": ["a", "b"]}, "classes: format 4 is for items without any"),
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused_in_one_line(tmp_path, changes, told):
    written(tmp_path, [drawn(32, 16)])
    path = tmp_path / "dataset.json"
    content = json.loads(path.read_text())
    for key, value in changes.items():
        (content["splits"]["test"] if key == "tiled" else content)[key] = value
    path.write_text(json.dumps(content))
    with pytest.raises(ConfigurationError) as refused:
        read_manifest(tmp_path)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_no_images_and_no_room_are_told(tmp_path, monkeypatch):
    with pytest.raises(ConfigurationError, match="mosaics: no test images"):
        written(tmp_path, [])
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write data set"):
        written(tmp_path / "file" / "below")
