"""Presets for data sets that nobody knows: by image size, number of classes and of images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from orchestrator.training.arguments import parse, settings_of
from orchestrator.training.presets import PRESETS, settings_from_preset
from semcom.errors import ConfigurationError
from semcom.shards import DatasetManifest, SplitManifest, write_dataset


def manifest_of(size: int = 32, classes: int = 10, images: int = 50_000) -> DatasetManifest:
    """A data set of one's own."""
    return DatasetManifest(
        format=1 if classes else 2,
        name="mine",
        image_size=size,
        classes=[f"class {number}" for number in range(classes)],
        source="a test",
        splits={"train": SplitManifest(images=images, sha256="0" * 64)},
    )


@pytest.mark.parametrize("preset", sorted(PRESETS))
@pytest.mark.parametrize("system", ["rkd-sc", "jscc-student", "jscc-teacher"])
@pytest.mark.parametrize("size", [8, 28, 31, 33, 48, 63, 64, 65, 96, 127, 128, 224, 1024])
def test_every_preset_takes_images_of_any_size(preset, system, size):
    manifest = manifest_of(size=size, images=40)
    settings = settings_from_preset(preset, manifest, name="x", system=system, overrides={})
    assert settings.dataset == "mine"
    if preset in ("compact", "embedded", "smoke"):
        seen = settings.architecture.encoder.input.size
        assert seen == settings.teacher.encoder.input.size == min(max(size, 32), 128)


@pytest.mark.parametrize(
    ("classes", "alike"),
    [(2, "cifar10"), (10, "cifar10"), (11, "cifar100"), (100, "cifar100"), (101, "tiny-imagenet"),
     (1000, "tiny-imagenet")],
)  # fmt: skip
@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_depths_and_compression_are_those_of_the_set_with_as_many_classes(preset, classes, alike):
    mine = PRESETS[preset](manifest_of(classes=classes))["architecture"]
    like = PRESETS[preset](manifest_of(classes=classes).model_copy(update={"name": alike}))
    assert mine == like["architecture"]
    assert mine.classes == classes


@pytest.mark.parametrize("images", [4, 5, 39, 64, 127, 128, 511, 50_000])
@pytest.mark.parametrize("preset", ["compact", "smoke"])
def test_a_step_takes_no_more_images_than_half_of_what_is_there(preset, images):
    usual = settings_from_preset(preset, manifest_of(), name="x", overrides={}).stages
    stages = settings_from_preset(preset, manifest_of(images=images), name="x", overrides={}).stages
    for name, stage in stages.items():
        assert 2 <= stage.batch <= max(2, min(images // 2, usual[name].batch))
        assert stage.batch == usual[name].batch or 4 * stage.batch > images // 2
        assert stage.batch & (stage.batch - 1) == 0  # so that ranks share it


def test_what_a_user_sets_is_kept_whatever_the_set_has():
    overrides = {"stages": {"teacher": {"batch": 100}}}
    settings = settings_from_preset("smoke", manifest_of(images=40), name="x", overrides=overrides)
    assert settings.stages["teacher"].batch == 100


def test_images_without_classes_are_not_trained_on():
    with pytest.raises(ConfigurationError, match="mine has images without classes, but rkd-sc"):
        settings_from_preset("smoke", manifest_of(classes=0), name="x", overrides={})


def test_names_of_codecs_and_folders_are_told_in_one_line(tmp_path: Path) -> None:
    name = "a" * 64
    images_NHWC = np.zeros((4, 8, 8, 3), np.uint8)
    splits = {"train": (images_NHWC, np.array([0, 1, 0, 1], np.uint16))}
    write_dataset(tmp_path / name, name=name, classes=["a", "b"], source="x", splits=splits)
    with pytest.raises(ConfigurationError, match=r"codec.s --name .* is not a valid name"):
        settings_of(parse([name, "--data", str(tmp_path)]))
    assert settings_of(parse([name, "--data", str(tmp_path), "--name", "x"])).dataset == name
    (tmp_path / name).rename(tmp_path / "b")
    with pytest.raises(
        ConfigurationError,
        match=r"b holds data set 'aaaa.*give the "
        "folder the same",
    ):
        settings_of(parse(["b", "--data", str(tmp_path), "--name", "x"]))
