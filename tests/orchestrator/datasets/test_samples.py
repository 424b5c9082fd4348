"""Real samples in folders of other names and in other layouts: the same shards."""

from __future__ import annotations

import tarfile
from collections import Counter
from pathlib import Path

import pytest

from orchestrator.datasets.prepare import prepare
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.plan import make_plan
from orchestrator.plan.scenario import Scenario
from semcom.checkpoints import CODECS_SHIPPED

SAMPLES = Path(__file__).resolve().parents[4] / "shared" / "data"
pytestmark = pytest.mark.skipif(
    not SAMPLES.is_dir(), reason=f"the samples of real images are not there: {SAMPLES.name}"
)
IMAGES = 2  # of a class and split
OTHER_NAMES = {"airplane": "plane", "automobile": "car"}


def unpacked(name: str, folder: Path) -> Path:
    """The first images of every class."""
    with tarfile.open(SAMPLES / f"{name}.tar.xz") as tar:
        taken: Counter[str] = Counter()
        for member in tar:
            place = member.name.rpartition("/")[0]
            if member.isfile() and taken[place] < IMAGES:
                taken[place] += 1
                tar.extract(member, folder, filter="data")
    return folder / name


def plan_digest(name: str, data: Path) -> str:
    """The digest of a sweep with the shipped codec; the digests of its results follow from it."""
    links = {"x": {"dataset": name, "codec": name}}
    scenario = Scenario.model_validate({"name": "s", "links": links, "snr_db": [0]})
    return make_plan(scenario, run="s.1", data_dir=data, catalog=Catalog(CODECS_SHIPPED)).digest


@pytest.mark.parametrize(
    ("name", "how"), [("cifar10", "other"), ("cifar10", "numbers"), ("cifar100", "numbers")]
)
def test_class_folders_by_other_names_are_swept_as_the_official_ones(tmp_path, name, how):
    source = unpacked(name, tmp_path)
    official = prepare(name, root=tmp_path / "official" / name, source=source)
    for split in ("train", "test"):
        for label, folder in enumerate(sorted((source / split).iterdir())):
            new = OTHER_NAMES.get(folder.name, folder.name) if how == "other" else str(label)
            folder.rename(folder.with_name(new))
    found = prepare(name, root=tmp_path / "renamed" / name, source=source)
    assert found.splits == official.splits
    assert found.classes == official.classes
    digests = [plan_digest(name, tmp_path / data) for data in ("official", "renamed")]
    assert digests[0] == digests[1]


def test_tiny_imagenet_in_its_own_layout_is_that_of_class_folders(tmp_path):
    source = unpacked("tiny-imagenet", tmp_path)
    official = prepare("tiny-imagenet", root=tmp_path / "a", source=source)
    ids = sorted(path.name for path in (source / "train").iterdir())
    (source / "wnids.txt").write_text("\n".join(reversed(ids)) + "\n")
    (source / "val" / "images").mkdir(parents=True)
    lines = []
    for path in (source / "test").glob("*/*"):
        new = f"{path.parent.name}-{path.name}"
        lines.append(f"{new}\t{path.parent.name}\t0\t0\t63\t63")
        path.rename(source / "val" / "images" / new)
    (source / "val" / "val_annotations.txt").write_text("\n".join(lines) + "\n")
    found = prepare("tiny-imagenet", root=tmp_path / "b", source=source)
    assert "Tiny-ImageNet folders" in found.source
    assert found.splits == official.splits
    assert found.classes == official.classes
