"""Data sets: published, synthetic, or your own."""

from __future__ import annotations

from pathlib import Path

from orchestrator.datasets.own_sets import prepare_own
from orchestrator.datasets.prepare import DATASETS, DRAWN, ensure
from orchestrator.datasets.prepare import prepare as prepare_known
from orchestrator.datasets.text_sets import TextSize, holds_text, prepare_text
from orchestrator.plan.folders import DATA
from semcom.errors import ConfigurationError
from semcom.names import check_name
from semcom.shards import MANIFEST, DatasetManifest


def prepare(
    name: str,
    source: Path | str | None = None,
    *,
    size: int | None = None,
    test_share: float | None = None,
    keep: bool = True,
    data: Path | str = DATA,
) -> DatasetManifest:
    """Write the shards of a data set, as `semcom data prepare` does.

    Args:
        name: a published or synthetic set, or any name for your own images or sentences.
        source: a folder, archive, parquet or text files; None downloads or generates a known set.
        size: of your own images: pixels per side.
        test_share: of your own images without a test folder: the share held out.
        keep: keep an existing data set if it is intact.
        data: folder of data sets.

    Raises:
        ConfigurationError: the existing folder is not a data set, or does not fit.
        StorageError: the disk is full or cannot be written.
    """
    check_name(name, what="data set")
    root = Path(data) / name
    place = None if source is None else Path(source)
    if keep and (name in DRAWN or (root / MANIFEST).exists()):
        return ensure(name, root)
    if name in DATASETS or place is None:
        return prepare_known(name, root=root, source=place)
    if holds_text(place):
        if (size, test_share) != (None, None):
            raise ConfigurationError(f"size, test_share: only for images, but {place} holds text")
        return prepare_text(name, root=root, source=place, size=TextSize())
    return prepare_own(name, root=root, source=place, size=size, test_share=test_share)
