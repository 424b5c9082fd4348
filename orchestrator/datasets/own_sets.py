"""Prepare a user's own data set under any name: images in a folder, an archive or parquet.

The layout of a source is detected; conversions and unusable files are counted in one line per kind,
also in the manifest.
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from orchestrator.datasets import own_folders, parquet_files
from orchestrator.datasets.hold_out import TEST_SHARE, check_share, held_out
from orchestrator.datasets.one_writer import alone, opened
from orchestrator.datasets.own_folders import OwnSource
from orchestrator.datasets.own_pictures import FORMATS, PictureReader, Pictures, check_side
from orchestrator.datasets.own_tiles import tiled_source
from orchestrator.datasets.pictures import SourceImages, either
from orchestrator.datasets.prepare import DATASETS
from orchestrator.datasets.sources import check_apart, known_layout
from semcom.class_names import shown
from semcom.codec_manifest import MAX_CLASS_NAME
from semcom.errors import ConfigurationError
from semcom.names import check_name
from semcom.shards import DatasetManifest, Split, write_dataset
from semcom.tile_shards import write_tiles

logger = logging.getLogger("orchestrator.datasets")

Find = Callable[..., OwnSource | None]
# In order; each gets a folder and returns None for an unknown layout.
FOLDER_LAYOUTS: tuple[Find, ...] = (parquet_files.find, own_folders.find)
# Single files that are not archives, by suffix; another kind of source is one more entry.
FILE_LAYOUTS: dict[str, Callable[[Path], OwnSource]] = {
    parquet_files.SUFFIX: parquet_files.find_file
}


def prepare_own(
    name: str,
    *,
    root: Path,
    source: Path,
    size: int | None = None,
    test_share: float | None = None,
    tiles: int | None = None,
) -> DatasetManifest:
    """Write the images of `source` to `root` as the data set `name`, replacing any existing one.

    Args:
        name: any name except those in DATASETS.
        root: the folder to write, such as data/mine.
        source: a folder, an archive or a parquet file.
        size: pixels per side to which every image is cropped and resized; None: unchanged.
        test_share: of each class, where the source has no test images; None: TEST_SHARE, or all
            of what is cut into tiles.
        tiles: pixels per side of tiles into which every image is cut, whatever its size.

    Raises:
        ConfigurationError: there is no such source, or it gives no data set.
        StorageError: the disk is full or cannot be written.
    """
    check_name(name, what="data set")
    if name in DATASETS:
        raise ConfigurationError(f"'{name}' is a known data set; choose another name")
    if test_share is not None:
        check_share(test_share)
    if size is not None and tiles is not None:
        raise ConfigurationError("--size and --tiles: an image is resized or cut, not both")
    check_side("--tiles", tiles)
    reader = PictureReader(size, any_size=tiles is not None)
    given = "--size" if size is not None else "--test-share" if test_share else ""
    with alone(root), _opened(source, root, reader, given) as there:
        if tiles is not None:
            whole = tiled_source(source, there, reader, test_share)
            return write_tiles(
                root,
                name=name,
                source=_told(name, source, whole.layout, whole.notes),
                side=tiles,
                splits=whole.splits,
            )
        found = (
            there if isinstance(there, SourceImages) else _images(source, there, reader, test_share)
        )
        _check_names(source, found.classes)
        return write_dataset(
            root,
            name=name,
            classes=found.classes,
            source=_told(name, source, found.layout, found.notes),
            splits=found.splits,
        )


def _told(name: str, source: Path, layout: str, notes: Sequence[str]) -> str:
    """Return what a manifest says of a source, and say each note."""
    for note in notes:
        logger.warning("%s: %s", name, note)
    return "; ".join((f"copy of {source.name} ({layout})", *notes))


@contextmanager
def _opened(
    source: Path, root: Path, reader: PictureReader, given: str
) -> Iterator[SourceImages | OwnSource]:
    """Yield what a source holds: a published set, or images that are not read yet.

    `given` is an option without effect on a published set.
    """
    find_file = FILE_LAYOUTS.get(source.suffix.casefold())
    try:
        if find_file is not None and source.is_file():
            yield find_file(source)
            return
        with opened(source, root) as (folder, is_archive):
            if not folder.is_dir():
                raise ConfigurationError(f"no folder or archive {source}")
            if not is_archive:
                check_apart(folder, root)
            published = known_layout(folder)
            if published is None:
                yield _found(folder, reader, is_archive=is_archive)
                return
            if given:
                raise ConfigurationError(
                    f"{given} has no effect on {published[1].name}, which has one size and test "
                    "images; leave it out"
                )
            yield published[1].read(published[0])
    except OSError as error:
        what = source if error.filename is None else error.filename
        raise ConfigurationError(f"cannot read {what}: {error.strerror}") from error


def _found(folder: Path, reader: PictureReader, *, is_archive: bool) -> OwnSource:
    for find in FOLDER_LAYOUTS:
        found = find(folder, reader, is_archive=is_archive)
        if found is not None:
            return found
    raise ConfigurationError(
        f"{folder} holds no images: {either(FORMATS)} in <class>/, in train/<class>/ and "
        "test/<class>/, or directly in the folder; or parquet files"
    )


def _images(
    source: Path, found: OwnSource, reader: PictureReader, test_share: float | None
) -> SourceImages:
    """Decode the images; hold out test images if there are none."""
    if "test" in found.splits and test_share is not None:
        raise ConfigurationError(
            f"--test-share has no effect: {source} has test images; leave it out"
        )
    read = {split: reader.read(items) for split, items in found.splits.items()}
    reader.check_sizes(source)
    for split, pictures in read.items():
        if not pictures.digests:
            why = "; ".join(reader.left_out.lines()) or "there are none"
            raise ConfigurationError(f"{source} has no {split} images that can be used: {why}")
    notes = (*found.notes, *reader.lines(), *_notes(found.classes, read))
    _check_trained(source, found.classes, read["train"], reader)
    if "test" not in read:
        share = TEST_SHARE if test_share is None else test_share
        read = _parted(read["train"], share, found.classes)
        count = len(read["test"].digests)
        notes += (f"{count} test image{'s' * (count != 1)} held out, a share of {share:g}",)
    splits = {split: (part.images_NHWC, part.labels_N) for split, part in read.items()}
    return SourceImages(found.layout, found.classes, splits, notes)


def _parted(pictures: Pictures, share: float, classes: Sequence[str]) -> dict[Split, Pictures]:
    test_N = held_out(pictures.labels_N, pictures.digests, share, classes)
    parts: tuple[tuple[Split, object], ...] = (("train", ~test_N), ("test", test_N))
    return {split: _part(pictures, np.asarray(chosen_N)) for split, chosen_N in parts}


def _part(pictures: Pictures, chosen_N: np.ndarray) -> Pictures:
    digests = [digest for digest, is_in in zip(pictures.digests, chosen_N, strict=True) if is_in]
    return dataclasses.replace(
        pictures,
        images_NHWC=pictures.images_NHWC[chosen_N],
        labels_N=pictures.labels_N[chosen_N],
        digests=digests,
    )


def _notes(classes: Sequence[str], read: dict[Split, Pictures]) -> tuple[str, ...]:
    """Return notes on the labels that matter before a codec is trained on them."""
    notes: list[str] = []
    labels: dict[bytes, set[int]] = {}
    for pictures in read.values():
        for digest, label in zip(pictures.digests, pictures.labels_N, strict=True):
            labels.setdefault(digest, set()).add(int(label))
    several = sum(len(found) > 1 for found in labels.values())
    if several:
        notes.append(f"{several} file{'s' * (several != 1)} found in more than one class")
    if "test" in read:
        trained = set(read["train"].digests)
        both = sum(digest in trained for digest in read["test"].digests)
        if both:
            notes.append(f"{both} test image{'s' * (both != 1)} also among the training images")
        tested = {*read["test"].labels_N.tolist()}
        untested = [name for label, name in enumerate(classes) if label not in tested]
        if untested:
            notes.append(f"classes without test images: {len(untested)}, as {shown(untested[0])}")
    return tuple(notes)


def _check_trained(
    source: Path, classes: Sequence[str], train: Pictures, reader: PictureReader
) -> None:
    trained = {*train.labels_N.tolist()}
    lacking = [name for label, name in enumerate(classes) if label not in trained]
    if lacking:
        why = "; ".join(reader.left_out.lines())
        raise ConfigurationError(
            f"{source}: class '{shown(lacking[0])}' has no training images that can be used: {why}"
        )


def _check_names(source: Path, classes: Sequence[str]) -> None:
    """Refuse class names that are invalid for a codec."""
    for name in classes:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            raise ConfigurationError(
                f"{source}: class folder '{shown(name)}' is not named in UTF-8; rename it"
            ) from error
        if not name.strip() or len(name) > MAX_CLASS_NAME:
            raise ConfigurationError(
                f"{source}: class '{shown(name)}' needs a name of 1 to {MAX_CLASS_NAME} "
                "characters, not all blank"
            )
