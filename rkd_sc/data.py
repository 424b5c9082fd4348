"""Data sets: published, drawn, or of one's own."""

from __future__ import annotations

from pathlib import Path

from orchestrator.datasets.own_sets import prepare_own
from orchestrator.datasets.prepare import DATASETS
from orchestrator.datasets.prepare import prepare as prepare_known
from orchestrator.plan.folders import DATA
from semcom.names import check_name
from semcom.shards import DatasetManifest


def prepare(
    name: str,
    source: Path | str | None = None,
    *,
    size: int | None = None,
    test_share: float | None = None,
    data: Path | str = DATA,
) -> DatasetManifest:
    """Write the shards of a data set, as `semcom data prepare`.

    Args:
        name: a published or drawn set, or any name for images of one's own.
        source: a folder, archive or parquet files; None downloads or draws a known set.
        size: of images of one's own: pixels a side.
        test_share: of images of one's own without a test folder.
        data: folder of data sets.

    Raises:
        ConfigurationError: what is there is no data set, or does not fit.
        StorageError: the disk refuses.
    """
    check_name(name, what="data set")
    root = Path(data) / name
    place = None if source is None else Path(source)
    if name in DATASETS or place is None:
        return prepare_known(name, root=root, source=place)
    return prepare_own(name, root=root, source=place, size=size, test_share=test_share)
