"""Prepare a data set by name: generated, copied from a folder, or downloaded; the result is shards.

`orchestrator.datasets.own_sets` prepares users' own data sets.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from orchestrator.datasets import download as downloads
from orchestrator.datasets import drawn_sentences
from orchestrator.datasets.download import Archive, download
from orchestrator.datasets.labels import in_order_of
from orchestrator.datasets.one_writer import alone, lock_of, opened
from orchestrator.datasets.pictures import SourceImages
from orchestrator.datasets.procedural import (
    DRAWN_SETS,
    drawing_source,
    is_drawing,
    prepare_procedural,
)
from orchestrator.datasets.sources import read_source
from semcom.errors import ConfigurationError
from semcom.names import check_name
from semcom.shards import (
    MANIFEST,
    DatasetManifest,
    ImageArray,
    LabelArray,
    Split,
    canonical_order,
    read_manifest,
    write_dataset,
)
from semcom.text_shards import open_shard

logger = logging.getLogger("orchestrator.datasets")


@dataclass(frozen=True, kw_only=True)
class RealSet:
    """A published data set: its required content, and its source."""

    classes: int
    image_size: int
    images: dict[Split, int]
    archive: Archive
    usual_names: tuple[str, ...]  # of its folder


REAL_SETS: dict[str, RealSet] = {
    "cifar10": RealSet(
        classes=10,
        image_size=32,
        images={"train": 50_000, "test": 10_000},
        archive=downloads.CIFAR10,
        usual_names=("cifar-10-batches-py", "cifar-10-batches-bin", "cifar10", "cifar10-png"),
    ),
    "cifar100": RealSet(
        classes=100,
        image_size=32,
        images={"train": 50_000, "test": 10_000},
        archive=downloads.CIFAR100,
        usual_names=("cifar-100-python", "cifar-100-binary", "cifar100", "cifar100-png"),
    ),
    "tiny-imagenet": RealSet(
        classes=200,
        image_size=64,
        images={"train": 100_000, "test": 10_000},
        archive=downloads.TINY_IMAGENET,
        usual_names=("tiny-imagenet-200", "tiny-imagenet"),
    ),
}
DRAWN = (*DRAWN_SETS, drawn_sentences.NAME)
DATASETS = (*REAL_SETS, *DRAWN)


def prepare(
    name: str,
    *,
    root: Path,
    source: Path | None,
    train_images: int | None = None,
    test_images: int | None = None,
    seed: int = 0,
) -> DatasetManifest:
    """Write the data set `name` to `root`, replacing any existing one.

    Args:
        name: one of DATASETS.
        root: the folder to write, such as data/cifar10.
        source: a published set's folder or archive on disk. None downloads it to the folder
            `downloads` next to `root`.
        train_images, test_images: number of items; of a published set, the first ones in canonical
            order, which are a random sample. None takes all of a published set, or the default
            number of a synthetic one.
        seed: seed of a synthetic set.

    Raises:
        ConfigurationError: the name is unknown, there is no network, or the source is not this data
            set.
        StorageError: the disk is full or cannot be written.
    """
    check_known(name)
    wanted: dict[Split, int | None] = {"train": train_images, "test": test_images}
    for split, images in wanted.items():
        if images is not None and images < 1:
            raise ConfigurationError(f"{name}: at least 1 {split} image is needed, not {images}")
    if name in DRAWN and source is not None:
        raise ConfigurationError(f"{name} is generated, not copied; leave out '--from'")
    with alone(root):
        if name in DRAWN:
            return _draw(name, root, train=train_images, test=test_images, seed=seed)
        return _prepare_real(name, root, source, wanted)


def ensure(name: str, root: Path, *, seed: int = 0) -> DatasetManifest:
    """Ensure that `root` has the data set: generate a synthetic one, otherwise only check it.

    A synthetic set is generated again if it is damaged or comes from another version or seed; any
    size is accepted. Only a generated copy of this set is ever overwritten. A user's own set is
    checked like a published one.

    Raises:
        ConfigurationError: the name is invalid, the set is absent or damaged and not synthetic, or
            the folder contains another data set.
        StorageError: the disk is full or cannot be written.
    """
    check_name(name, what="data set")
    try:
        found = _ready(name, root, seed)
    except ConfigurationError:
        if not lock_of(root).exists():
            raise
        found = None  # another process is writing it
    if found is not None:
        return found
    with alone(root):
        return _ready(name, root, seed) or _draw(name, root, train=None, test=None, seed=seed)


def _ready(name: str, root: Path, seed: int) -> DatasetManifest | None:
    """Return the existing data set; None if one must be generated.

    Raises:
        ConfigurationError: it is invalid, damaged, or another data set.
    """
    if name in DRAWN and not (root / MANIFEST).exists():
        return None
    manifest = read_manifest(root)
    drawn = is_drawing(manifest.source)
    if manifest.name != name or drawn != (name in DRAWN):
        raise ConfigurationError(
            f"{root} holds '{manifest.name}' ({manifest.source}), not '{name}'; "
            "choose another folder or remove it"
        )
    if drawn and (manifest.source != _drawing(name, seed) or not _whole(root, manifest)):
        return None
    for split in manifest.splits:
        open_shard(root, split)
    return manifest


def _draw(
    name: str, root: Path, *, train: int | None, test: int | None, seed: int
) -> DatasetManifest:
    if name == drawn_sentences.NAME:
        return drawn_sentences.prepare_sentences(root, train=train, test=test, seed=seed)
    return prepare_procedural(name, root, train_images=train, test_images=test, seed=seed)


def _drawing(name: str, seed: int) -> str:
    is_text = name == drawn_sentences.NAME
    return drawn_sentences.drawing_source(seed) if is_text else drawing_source(seed)


def check_known(name: str) -> None:
    """Refuse a data set that is neither published nor synthetic.

    Raises:
        ConfigurationError: it is not one of DATASETS.
    """
    check_name(name, what="data set")
    if name not in DATASETS:
        raise ConfigurationError(
            f"no data set '{name}'; available: {', '.join(DATASETS)}; make your own from "
            "images or sentences with '--from DIR'"
        )


def _whole(root: Path, manifest: DatasetManifest) -> bool:
    try:
        for split in manifest.splits:
            open_shard(root, split)
    except ConfigurationError:
        return False
    return True


def _prepare_real(
    name: str, root: Path, source: Path | None, wanted: dict[Split, int | None]
) -> DatasetManifest:
    real = REAL_SETS[name]
    origin = f"copy of {source.name}" if source else real.archive.url
    found = _read(name, source or download(real.archive, root.parent / "downloads"), root)
    _check(name, real, found)
    found = in_order_of(name, found)
    for note in found.notes:
        logger.warning("%s: %s", name, note)
    splits = {
        split: _first(f"{name}/{split}", *found.splits[split], wanted[split])
        for split in found.splits
    }
    counts = ", ".join(
        f"{len(labels_N)} of {real.images[split]} {split} images"
        for split, (_, labels_N) in splits.items()
    )
    return write_dataset(
        root,
        name=name,
        classes=found.classes,
        source="; ".join((f"{origin} ({found.layout}), {counts}", *found.notes)),
        splits=splits,
    )


def _read(name: str, source: Path, root: Path) -> SourceImages:
    """Read a folder, or an archive via a temporary folder next to `root`."""
    usual_names = REAL_SETS[name].usual_names
    with opened(source, root) as (folder, is_archive):
        return read_source(folder, usual_names, output=None if is_archive else root)


def _check(name: str, real: RealSet, found: SourceImages) -> None:
    if len(found.classes) != real.classes:
        raise ConfigurationError(
            f"the source has {len(found.classes)} classes, but {name} has {real.classes}; "
            "name the folder of the right data set"
        )
    for split, (images_NHWC, _) in found.splits.items():
        images, size = images_NHWC.shape[:2]
        if size != real.image_size:
            raise ConfigurationError(
                f"the source's {split} images have {size}x{size} pixels, "
                f"but {name} has {real.image_size}x{real.image_size}"
            )
        if images > real.images[split]:
            raise ConfigurationError(
                f"the source has {images} {split} images, but {name} has {real.images[split]}"
            )


def _first(
    what: str, images_NHWC: ImageArray, labels_N: LabelArray, wanted: int | None
) -> tuple[ImageArray, LabelArray]:
    """Return the first images in canonical order: the same ones from every layout."""
    if wanted is None:
        return images_NHWC, labels_N
    if wanted > len(labels_N):
        raise ConfigurationError(
            f"{what}: {wanted} images requested, but the source has {len(labels_N)}"
        )
    order = canonical_order(images_NHWC, labels_N)[:wanted]
    return images_NHWC[order], labels_N[order]


def draw_missing(wanted: Iterable[str], folder: Path) -> None:
    """Generate missing synthetic data sets in `folder`; check the others.

    Raises:
        ConfigurationError: a folder contains another data set, or one that is damaged or missing
            and not synthetic.
        StorageError: the disk is full or cannot be written.
    """
    for name in sorted(set(wanted)):
        ensure(name, folder / name)
