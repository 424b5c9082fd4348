"""`semcom checkpoints export` onto odd places: whole files, one line, nothing written elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchestrator.plan.catalog import Catalog
from semcom.errors import CheckpointError, SemcomError, StorageError
from tests.semcom.small_codec import write_small_codec

FILES = ("manifest.json", "receiver.safetensors", "transmitter.safetensors")


@pytest.fixture
def catalog(tmp_path: Path) -> Catalog:
    write_small_codec(tmp_path / "codecs" / "good")
    return Catalog(tmp_path / "codecs")


def is_whole(catalog: Catalog, target: Path) -> bool:
    return Catalog(target).verified("good").digest == catalog.verified("good").digest


def test_exported_codec_is_that_of_the_catalogue(catalog, tmp_path):
    for target in (tmp_path / "new", tmp_path / "new", catalog.root, catalog.root / "good"):
        catalog.export("good", target)
        assert is_whole(catalog, target)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("file", FILES[1:])
@pytest.mark.parametrize("what", ["fifo", "link", "dangling"])
def test_what_lies_in_the_place_of_weights_is_replaced(catalog, tmp_path, what, file):
    place, precious = tmp_path / "new" / "good" / file, tmp_path / "precious"
    place.parent.mkdir(parents=True)
    if what == "fifo":
        os.mkfifo(place)
    else:
        place.symlink_to(precious)
        if what == "link":
            precious.write_text("precious")
    catalog.export("good", tmp_path / "new")
    assert is_whole(catalog, tmp_path / "new")
    assert not place.is_symlink()
    assert precious.exists() == (what == "link")
    if what == "link":
        assert precious.read_text() == "precious"


@pytest.mark.timeout(20)
@pytest.mark.parametrize("what", ["file", "file below", "folder", "fifo", "long name", "manifest"])
def test_place_that_cannot_be_written_is_one_line(catalog, tmp_path, what):
    target = tmp_path / "new"
    expected: type[SemcomError] = StorageError
    if what == "file":
        target.write_text("")
    elif what == "file below":
        target.mkdir()
        (target / "good").write_text("")
    elif what == "folder":
        (target / "good" / FILES[1]).mkdir(parents=True)
    elif what == "fifo":
        os.mkfifo(target)
    elif what == "long name":
        target = tmp_path / ("x" * 300)
    else:
        (target / "good").mkdir(parents=True)
        os.mkfifo(target / "good" / FILES[0])
        expected = CheckpointError
    with pytest.raises(expected) as caught:
        catalog.export("good", target)
    assert "\n" not in str(caught.value)
    assert "None" not in str(caught.value)
