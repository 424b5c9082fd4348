"""A codec meets no data set of other classes: sweep, evaluate, up, codec set and train refuse."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from orchestrator.cli import main as cli
from orchestrator.live.live_scenario import LiveScenario, plan_live
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.plan import make_plan
from orchestrator.plan.scenario import Scenario
from orchestrator.training.arguments import parse, settings_of
from semcom.checkpoints import CODECS_SHIPPED, open_checkpoint
from semcom.class_names import canonical_names
from semcom.errors import ConfigurationError
from semcom.shards import write_dataset
from tests.orchestrator.codecs import CLASSES, write_codec, write_images

NAMES = canonical_names("cifar10") or []
TOLD = "label 0 is 'airplane' for codec cifar10, but 'bird' in data set cifar10"


def write_cifar10(root: Path, classes: list[str]) -> None:
    """A data set as an earlier version wrote it: classes in whatever order."""
    labels_N = np.arange(20, dtype=np.uint16) % 10
    images_NHWC = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    both = (images_NHWC, labels_N)
    splits = {"train": both, "test": both}
    write_dataset(root / "cifar10", name="cifar10", classes=classes, source="x", splits=splits)


@pytest.fixture(scope="module")
def turned(tmp_path_factory) -> Path:
    """Data whose class folders were called plane and car, and sorted so."""
    root = tmp_path_factory.mktemp("turned")
    write_cifar10(root, sorted(["plane", "car", *NAMES[2:]]))
    return root


@pytest.fixture(scope="module")
def numbered(tmp_path_factory) -> Path:
    """Data whose class folders were called 0 to 9."""
    root = tmp_path_factory.mktemp("numbered")
    write_cifar10(root, [str(label) for label in range(10)])
    return root


def sweep(data: Path) -> str:
    links = {"x": {"dataset": "cifar10", "codec": "cifar10"}}
    scenario = Scenario.model_validate({"name": "s", "links": links, "snr_db": [0]})
    return make_plan(scenario, run="s.1", data_dir=data, catalog=Catalog(CODECS_SHIPPED)).digest


def live(data: Path) -> str:
    links = {"x": {"dataset": "cifar10", "codec": "cifar10"}}
    scenario = LiveScenario.model_validate({"name": "s", "mode": "live", "links": links})
    return plan_live(scenario, data_dir=data, catalog=Catalog(CODECS_SHIPPED))["x"].dataset_digest


def train(data: Path) -> str:
    given = f"init_from={CODECS_SHIPPED / 'cifar10'}"
    words = ["cifar10", "--data", str(data), "--out", "x", "--set", given]
    return settings_of(parse([*words, "--set", "depths=preset"])).dataset


@pytest.mark.parametrize("begin", [sweep, live, train])
def test_another_order_of_classes_is_refused_and_the_first_is_named(turned, begin):
    with pytest.raises(ConfigurationError, match=TOLD) as told:
        begin(turned)
    assert told.value.exit_code == 2


@pytest.mark.parametrize("begin", [sweep, live, train])
def test_images_without_classes_are_refused(tmp_path, begin):
    images_NHWC = np.zeros((4, 32, 32, 3), dtype=np.uint8)
    both = (images_NHWC, np.zeros(4, dtype=np.uint16))
    splits = {"train": both, "test": both}
    write_dataset(tmp_path / "cifar10", name="cifar10", classes=[], source="x", splits=splits)
    with pytest.raises(ConfigurationError, match="data set cifar10 has images without classes"):
        begin(tmp_path)


@pytest.mark.parametrize("begin", [sweep, live, train])
def test_the_same_classes_by_number_are_taken(numbered, begin):
    assert begin(numbered)


def test_names_of_classes_are_no_part_of_the_plan(numbered, tmp_path):
    write_cifar10(tmp_path, NAMES)
    assert sweep(tmp_path) == sweep(numbered)


def command(*words: object, monkeypatch: pytest.MonkeyPatch) -> int:
    """Run a command here; its exit code."""
    monkeypatch.setattr(sys, "argv", ["semcom", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0)


def test_evaluate_ends_with_one_line_and_exit_code_2(turned, tmp_path, monkeypatch, capsys):
    words = ["evaluate", "cifar10", "--data", turned, "--out", tmp_path / "out"]
    words += ["--codecs", CODECS_SHIPPED]
    assert command(*words, monkeypatch=monkeypatch) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert TOLD in line
    assert not (tmp_path / "out").exists()


def test_classes_of_older_codecs_are_named_by_a_command(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "codecs" / "cifar10"
    shutil.copytree(CODECS_SHIPPED / "cifar10", folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["classes"]
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=1))
    own = write_codec(tmp_path / "codecs" / "own")
    write_images(tmp_path / "data" / "tiny")
    digests = [open_checkpoint(folder).digest, own.digest]
    options = ("--codecs", tmp_path / "codecs", "--data", tmp_path / "data")
    words = ("checkpoints", "classes", *options)
    assert command(*words, monkeypatch=monkeypatch) == 2  # the own set has no training images
    assert "does not contain the images on which codec own was trained" in capsys.readouterr().err
    train_too = {split: made_up(split) for split in ("train", "test")}
    names = [f"class {label}" for label in range(CLASSES)]
    root = tmp_path / "data" / "tiny"
    write_dataset(root, name="tiny", classes=names, source="x", splits=train_too)
    for _ in range(2):
        assert command(*words, monkeypatch=monkeypatch) == 0
    named = [open_checkpoint(tmp_path / "codecs" / name) for name in ("cifar10", "own")]
    assert [codec.manifest.classes for codec in named] == [NAMES, names]
    assert [codec.digest for codec in named] == digests
    shipped = (CODECS_SHIPPED / "cifar10" / "manifest.json").read_bytes()
    assert (folder / "manifest.json").read_bytes() == shipped


def made_up(split: str) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(len(split))
    images_NHWC = rng.integers(0, 256, (8, 32, 32, 3), dtype=np.uint8)
    return images_NHWC, (np.arange(8) % CLASSES).astype(np.uint16)


def test_data_set_of_other_images_names_no_classes(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "codecs" / "own"
    write_codec(folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["training"]["dataset_sha256"] = "0" * 64
    (folder / "manifest.json").write_text(json.dumps(manifest))
    splits = {"train": made_up("train"), "test": made_up("test")}
    names = [f"class {label}" for label in range(CLASSES)]
    root = tmp_path / "data" / "tiny"
    write_dataset(root, name="tiny", classes=names, source="x", splits=splits)
    options = ("--codecs", tmp_path / "codecs", "--data", tmp_path / "data")
    assert command("checkpoints", "classes", *options, monkeypatch=monkeypatch) == 2
    assert "was trained" in capsys.readouterr().err
