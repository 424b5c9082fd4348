"""Shards on disk: items as memory-mapped arrays with a manifest; here for images.

    data/<name>/dataset.json
    data/<name>/train/images.npy   uint8  (N, H, W, 3)
    data/<name>/train/labels.npy   uint16 (N,)
    data/<name>/test/...

The images of a split are stored in *canonical order*: ascending SHA-256 of (label, pixels). The
same images therefore have the same indices and digest from any source and layout, and any prefix of
a split is a random sample of its classes.

Images without labels have a manifest of format 2 with an empty list of classes, and label 0.
Earlier versions refuse that format; with classes, a manifest still has format 1. Format 3 is for
sentences (`semcom.text_shards`), format 4 for larger images in tiles (`semcom.tile_shards`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, Self, get_args

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from semcom.array_files import map_array, save_array
from semcom.errors import ConfigurationError, StorageError
from semcom.files import read_file, write_atomically
from semcom.item_words import ItemWord, item_word
from semcom.known_classes import known_classes
from semcom.plain_text import command
from semcom.tasks.task import Task
from semcom.tiles import Sizes, TiledImage, tiled_images, tiles_in
from semcom.vocabulary import FIRST_WORD, MAX_WORDS

Split = Literal["train", "test", "validation"]  # the last one only for sentences
SPLITS: tuple[Split, ...] = get_args(Split)
MANIFEST = "dataset.json"
MAX_MANIFEST_BYTES = 16 << 20
# Names of unfinished files, which a killed process may leave behind.
TEMPORARY = (".images.npy*", ".labels.npy*", ".tokens.npy*", ".vocabulary.txt.*", f".{MANIFEST}.*")
MIN_IMAGE_SIZE, MAX_IMAGE_SIZE = 8, 1024  # pixels per side
MIN_TILED_SIDE, MAX_TILED_SIDE = 11, 1 << 16  # pixels of images in tiles; SSIM takes 11
MIN_CLASSES, MAX_CLASSES = 2, 65_535  # of a data set that has classes
MAX_SENTENCE = 255  # words
DRAWN_TEXTS = ("sentences",)  # sets of sentences that are generated
ImageArray = npt.NDArray[np.uint8]
LabelArray = npt.NDArray[np.uint16]


class Span(NamedTuple):
    """Items from `first` on, among the first `of` items of a split, cyclically."""

    first: int
    number: int
    of: int

    def cut(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return these items of an array."""
        first, end = self.first % self.of, self.first % self.of + self.number
        if end <= self.of:
            return array[first:end]
        return np.concatenate([array[first : self.of], array[: end - self.of]])


Pixels = Annotated[int, Field(ge=MIN_TILED_SIDE, le=MAX_TILED_SIDE)]


class SplitManifest(BaseModel):
    """Size and identity of one split; its items are images, tiles of images, or sentences.

    tiled: number, height and width of the images that the tiles make up, in their order.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: int = Field(ge=1)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    tiled: list[tuple[Annotated[int, Field(ge=1)], Pixels, Pixels]] | None = Field(
        default=None, min_length=1
    )

    @property
    def sizes(self) -> list[Sizes]:
        """Return the sizes of the images in tiles."""
        return [Sizes(*each) for each in self.tiled or ()]


class SentenceForm(BaseModel):
    """Rows of a set of sentences: words of a vocabulary, without START and END.

    vocabulary: number of token ids;
    longest: words of the longest sentence.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    vocabulary: int = Field(gt=FIRST_WORD, le=FIRST_WORD + MAX_WORDS)
    vocabulary_sha256: str = Field(pattern="^[0-9a-f]{64}$")
    longest: int = Field(ge=1, le=MAX_SENTENCE)


class DatasetManifest(BaseModel):
    """Content of `dataset.json`.

    Format 2 is for images without classes, 3 for sentences, 4 for images in tiles.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1, 2, 3, 4] = 1
    name: str
    image_size: int = Field(default=0, ge=0, le=MAX_IMAGE_SIZE)  # 0 of sentences
    classes: list[str]
    source: str
    splits: dict[Split, SplitManifest]
    sentences: SentenceForm | None = None

    @property
    def summary(self) -> str:
        """Return its size in words."""
        sizes = ", ".join(f"{each.images} {split}" for split, each in self.splits.items())
        if self.sentences is not None:
            return f"{self.sentences.vocabulary} tokens, {sizes} {self.item_word}"
        if self.format == 4:
            whole = ", ".join(
                f"{sum(size.images for size in each.sizes)} {split}"
                for split, each in self.splits.items()
            )
            return f"{whole} images in tiles of {self.image_size}x{self.image_size}: {sizes} tiles"
        classes = f"{len(self.classes)} classes" if self.classes else "no classes"
        return f"{classes}, {sizes} {self.item_word}"

    @property
    def item_word(self) -> ItemWord:
        """Return what its items are called."""
        return item_word(sentences=self.sentences is not None)

    def as_json(self) -> bytes:
        """Return the content of `dataset.json`; fields that a format does not have are omitted."""
        left_out = {"image_size"} if self.sentences else set()
        content = self.model_dump(exclude=left_out, exclude_none=True)
        return json.dumps(content, indent=1).encode()

    @model_validator(mode="after")
    def _has_what_its_format_has(self) -> Self:
        if (self.format == 3) != (self.sentences is not None):
            raise ValueError("sentences: required in format 3, and allowed in no other")
        if (self.image_size >= MIN_IMAGE_SIZE) == (self.format == 3):
            raise ValueError(f"image_size: at least {MIN_IMAGE_SIZE}, and none in format 3")
        if self.format == 1 and len(self.classes) < MIN_CLASSES:
            raise ValueError(f"classes: {len(self.classes)}, format 1 has at least {MIN_CLASSES}")
        if self.format > 1 and self.classes:
            raise ValueError(f"classes: format {self.format} is for items without any")
        for split, each in self.splits.items():
            if (each.tiled is None) != (self.format != 4):
                raise ValueError(f"splits.{split}.tiled: required in format 4, allowed in no other")
            if each.tiled and tiles_in(each.sizes, self.image_size) != each.images:
                raise ValueError(f"splits.{split}.tiled: these are not {each.images} tiles")
        return self


class Shard:
    """One split of a data set as a memory map: indexing reads only the pages that it needs.

    Attributes:
        images_NHWC: uint8 (N, H, W, 3).
        labels_N: uint16 (N,), indices into `manifest.classes`; 0 without classes.

    Raises:
        ConfigurationError: there is no data set in `root`, it is damaged, or it contains sentences.
    """

    def __init__(self, root: Path, split: Split) -> None:
        self.manifest = read_manifest(root)
        self.split: Split = split
        if self.manifest.sentences is not None:
            raise ConfigurationError(f"data set {root} holds sentences, but images are needed here")
        with reading_split(root, self.manifest, split):
            self.images_NHWC: ImageArray = map_array(root / split / "images.npy")
            self.labels_N: LabelArray = map_array(root / split / "labels.npy")
            self._check()

    @property
    def digest(self) -> str:
        """SHA-256 of the split as its manifest states it."""
        return self.manifest.splits[self.split].sha256

    def computed_digest(self) -> str:
        """SHA-256 of what the split holds."""
        sizes = self.manifest.splits[self.split].sizes
        return split_digest(self.images_NHWC, self.labels_N, sizes)

    @property
    def tiled(self) -> list[TiledImage]:
        """Return the larger images whose tiles are the items; none where items are images."""
        return tiled_images(self.manifest.splits[self.split].sizes, self.manifest.image_size)

    @property
    def items(self) -> ImageArray:
        """Return the items that a transmitter sends: the images."""
        return self.images_NHWC

    def references(self, task: Task, items: Span) -> Any:
        """Return the references of some items for a task: labels, or the images.

        Raises:
            ConfigurationError: the task judges sentences.
        """
        if task.REFERENCE == "sentences":
            raise ConfigurationError(
                f"data set {self.manifest.name} holds images, and {task.kind} judges sentences"
            )
        return items.cut(self.labels_N if task.REFERENCE == "labels" else self.images_NHWC)

    def __len__(self) -> int:
        return len(self.labels_N)

    def _check(self) -> None:
        size = self.manifest.image_size
        expected = (self.manifest.splits[self.split].images, size, size, 3)
        if self.images_NHWC.shape != expected or self.labels_N.shape != expected[:1]:
            raise ValueError(f"it holds {self.images_NHWC.shape}, its manifest says {expected}")
        if self.images_NHWC.dtype != np.uint8 or self.labels_N.dtype != np.uint16:
            raise ValueError(f"it holds {self.images_NHWC.dtype} and {self.labels_N.dtype}")
        highest, classes = int(self.labels_N.max()), len(self.manifest.classes)
        if highest >= max(classes, 1):
            raise ValueError(f"it has label {highest}, but {classes} classes")


@contextmanager
def reading_split(root: Path, manifest: DatasetManifest, split: Split) -> Iterator[None]:
    """Turn errors from reading a split in this block into one-line errors.

    Raises:
        ConfigurationError: there is no such split, or it is damaged.
    """
    if split not in manifest.splits:
        raise ConfigurationError(f"data set {root} has no split '{split}'")
    try:
        yield
    except Exception as error:  # numpy may raise anything for the header of an array
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ConfigurationError(
            f"data set {root} is damaged ({reason}); prepare it again with: "
            f"{_prepare_command(root, manifest.name)}"
        ) from error


def read_manifest(root: Path) -> DatasetManifest:
    """Read `dataset.json` under `root`.

    Raises:
        ConfigurationError: it is missing or not valid.
    """
    path = root / MANIFEST
    try:
        return DatasetManifest.model_validate_json(read_file(path, max_bytes=MAX_MANIFEST_BYTES))
    except FileNotFoundError as error:
        raise ConfigurationError(
            f"no data set at {root}; make it with: {_prepare_command(root, root.name)}"
        ) from error
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "document"
        reason = first["msg"].removeprefix("Value error, ")
        raise ConfigurationError(
            f"{path} is not a data set manifest: {where}: {reason}; "
            "prepare the data set again with 'semcom data prepare'"
        ) from error


def canonical_order(images_NHWC: ImageArray, labels_N: LabelArray) -> npt.NDArray[np.int64]:
    """Return indices that sort a split into canonical order: SHA-256 of (label, pixels)."""
    keys = [
        hashlib.sha256(int(label).to_bytes(2, "little") + image.tobytes()).digest()
        for image, label in zip(images_NHWC, labels_N, strict=True)
    ]
    return np.array(sorted(range(len(keys)), key=keys.__getitem__), dtype=np.int64)


def split_digest(images_NHWC: ImageArray, labels_N: LabelArray, sizes: Sequence[Sizes] = ()) -> str:
    """SHA-256 over the labels and the pixels in the order given, then the sizes of tiled images."""
    digest = hashlib.sha256(np.ascontiguousarray(labels_N, dtype="<u2").tobytes())
    for start in range(0, len(images_NHWC), 4096):
        digest.update(np.ascontiguousarray(images_NHWC[start : start + 4096]).data)
    digest.update(np.array(sizes, dtype="<u4").tobytes())
    return digest.hexdigest()


def write_dataset(
    root: Path,
    *,
    name: str,
    classes: list[str],
    source: str,
    splits: dict[Split, tuple[ImageArray, LabelArray]],
) -> DatasetManifest:
    """Write shards and manifest; the manifest comes last, so a data set is complete or absent.

    Args:
        root: folder to write, created if absent.
        name: the data set's name.
        classes: class names in label order; none for images without labels, whose label is 0.
        source: origin of the images, for information.
        splits: for each split images_NHWC uint8 and labels_N uint16, in any order.

    Raises:
        ConfigurationError: the arrays do not fit together.
        StorageError: the disk is full or cannot be written.
    """
    if not splits or len({images.shape[1] for images, _ in splits.values()}) > 1:
        raise ConfigurationError(f"{name}: all splits are required, with images of one size")
    if classes and not MIN_CLASSES <= len(classes) <= MAX_CLASSES:
        raise ConfigurationError(
            f"{name}: {len(classes)} classes, {MIN_CLASSES} to {MAX_CLASSES:,} are possible"
        )
    if len(set(classes)) < len(classes):
        raise ConfigurationError(f"{name}: two classes have the same name")
    written: dict[Split, SplitManifest] = {}
    size = 0
    try:
        root.mkdir(parents=True, exist_ok=True)
        (root / MANIFEST).unlink(missing_ok=True)
        for split, (images_NHWC, labels_N) in splits.items():
            _check_split(images_NHWC, labels_N, len(classes), f"{name}/{split}")
            order = canonical_order(images_NHWC, labels_N)
            images, labels = images_NHWC[order], labels_N[order].astype("<u2")
            (root / split).mkdir(exist_ok=True)
            save_array(root / split / "images.npy", images)
            save_array(root / split / "labels.npy", labels)
            written[split] = SplitManifest(images=len(labels), sha256=split_digest(images, labels))
            size = images.shape[1]
        manifest = DatasetManifest(
            format=1 if classes else 2,
            name=name,
            image_size=size,
            classes=classes,
            source=source,
            splits=written,
        )
        write_atomically(root / MANIFEST, manifest.as_json())
    except OSError as error:
        reason = error.strerror or error  # a short write has no error number
        raise StorageError(f"cannot write data set {root}: {reason}") from error
    return manifest


def _check_split(images: ImageArray, labels: LabelArray, classes: int, what: str) -> None:
    square = images.ndim == 4 and images.shape[1] == images.shape[2] >= MIN_IMAGE_SIZE
    if images.dtype != np.uint8 or not square or images.shape[3] != 3:
        raise ConfigurationError(f"{what}: images must be square uint8 RGB, got {images.shape}")
    if len(images) != len(labels) or len(labels) == 0:
        raise ConfigurationError(f"{what}: {len(images)} images but {len(labels)} labels")
    if int(labels.min()) < 0 or int(labels.max()) >= max(classes, 1):
        worst = int(labels.max()) if int(labels.min()) >= 0 else int(labels.min())
        raise ConfigurationError(f"{what}: label {worst} but only {classes} classes")


def _prepare_command(root: Path, name: str) -> str:
    """Return the command that prepares the data set of a folder."""
    folder = root.parent
    words: list[object] = ["semcom", "data", "prepare", name]
    if folder.absolute() != Path("data").absolute():
        words += ["--data", folder]
    return command(
        *words, *([] if known_classes(name) or name in DRAWN_TEXTS else ["--from", "DIR"])
    )
