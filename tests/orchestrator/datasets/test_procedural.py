import numpy as np
import pytest

from orchestrator.datasets.procedural import DRAWN_SETS, draw, drawn_set, prepare_procedural
from orchestrator.datasets.shapes import OUTLINES
from orchestrator.datasets.textures import PATTERNS
from semcom.errors import ConfigurationError
from semcom.shards import Shard, read_manifest, split_digest

NAMES = list(DRAWN_SETS)
SIZES = {"shapes10": (10, 32), "shapes100": (100, 32), "shapes200": (200, 64)}
# If a change of pictures is meant: count DRAWING_VERSION up, then pin the new digests.
GOLDEN = {
    "shapes10": "5e970959390831fa322fc0fb3af7ba8d137f74fd22e68965cd973bc08c7b5258",
    "shapes100": "c33b1fb7ae93fc2ec6e23e830e7de92718d9ccdb735eb919439fc9dfab51ba64",
    "shapes200": "ed8bdd437b402841f41036a264529af883745fde917a08030fa9fce9ced199e0",
}


@pytest.mark.parametrize("name", NAMES)
def test_pictures_are_those_of_this_drawing_version_on_every_machine(name):
    assert split_digest(*draw(name, "test", 220)) == GOLDEN[name]


@pytest.mark.parametrize("name", NAMES)
def test_draws_the_same_again(name):
    first, second = draw(name, "train", 40, seed=3), draw(name, "train", 40, seed=3)
    assert np.array_equal(first[0], second[0])
    assert np.array_equal(first[1], second[1])


@pytest.mark.parametrize("name", NAMES)
def test_longer_draw_begins_with_shorter(name):
    longer, shorter = draw(name, "train", 300)[0], draw(name, "train", 37)[0]
    assert np.array_equal(longer[:37], shorter)


@pytest.mark.parametrize("name", NAMES)
def test_seed_and_split_give_other_pictures(name):
    pictures = [draw(name, *key)[0] for key in [("train", 9, 0), ("train", 9, 1), ("test", 9, 0)]]
    for one in range(3):
        for other in range(one):
            same = (pictures[one] == pictures[other]).all(axis=(1, 2, 3))
            assert not same.any()


@pytest.mark.parametrize("name", NAMES)
def test_no_picture_is_drawn_twice(name):
    images_NHWC, _ = draw(name, "train", 400)
    assert len({image.tobytes() for image in images_NHWC}) == 400


@pytest.mark.parametrize("name", NAMES)
def test_split_is_balanced_and_shaped_as_stated(name):
    classes, size = SIZES[name]
    images_NHWC, labels_N = draw(name, "test", 2 * classes)
    assert images_NHWC.shape == (2 * classes, size, size, 3)
    assert images_NHWC.dtype == np.uint8
    assert labels_N.dtype == np.uint16
    assert np.bincount(labels_N).tolist() == [2] * classes


def test_class_names_say_shape_texture_and_colour():
    assert drawn_set("shapes10").classes == list(OUTLINES)
    assert "striped-star" in drawn_set("shapes100").classes
    assert "striped-red-star" in drawn_set("shapes200").classes
    for name, (classes, _) in SIZES.items():
        assert len(set(drawn_set(name).classes)) == classes


@pytest.mark.parametrize("name", ["shapes100", "shapes200"])
def test_label_draws_what_its_class_name_says(name):
    drawn = drawn_set(name)
    labels_N = np.arange(len(drawn.classes), dtype=np.uint16)
    contents = drawn.contents(labels_N)
    for label, words in enumerate(class_name.split("-") for class_name in drawn.classes):
        assert list(OUTLINES)[contents.shape_N[label]] == words[-1]
        assert list(PATTERNS)[contents.texture_N[label]] == words[0]


@pytest.mark.parametrize(("colour", "channel"), [("red", 0), ("green", 1), ("blue", 2)])
def test_colour_of_a_class_prevails_in_the_middle_of_its_pictures(colour, channel):
    classes = drawn_set("shapes200").classes
    images_NHWC, labels_N = draw("shapes200", "train", 600)
    wanted = [label for label, name in enumerate(classes) if f"-{colour}-" in name]
    middle_C = images_NHWC[np.isin(labels_N, wanted), 28:36, 28:36].mean(axis=(0, 1, 2))
    assert middle_C.argmax() == channel


def test_prepared_set_is_whole_and_named(tmp_path):
    root = tmp_path / "shapes100"
    manifest = prepare_procedural("shapes100", root, train_images=200, test_images=100, seed=4)
    assert manifest == read_manifest(root)
    assert manifest.classes == drawn_set("shapes100").classes
    assert "seed 4" in manifest.source
    assert len(Shard(root, "train")) == 200
    assert len(Shard(root, "test")) == 100


def test_refuses_unknown_set_and_empty_draw():
    with pytest.raises(ConfigurationError, match="shapes10, shapes100, shapes200"):
        draw("shapes11", "train", 1)
    with pytest.raises(ConfigurationError, match="at least 1 image"):
        draw("shapes10", "train", 0)
