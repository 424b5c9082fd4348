"""Shipped codecs are found beside one's own, which win by name, and commands say which is used."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from orchestrator.cli.options import say_origins
from orchestrator.plan.catalog import Catalog
from semcom.checkpoints import CODECS_SHIPPED, MANIFEST, find_codec, open_checkpoint
from semcom.errors import CheckpointError


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder with a codec of one's own, one called as a shipped one, and a damaged one."""
    root = tmp_path / "codecs"
    for name, source in (("mine", "shapes10"), ("cifar10", "shapes10"), ("shapes100", "shapes100")):
        shutil.copytree(CODECS_SHIPPED / source, root / name)
    (root / "shapes200").mkdir()
    return root


def digest(folder: Path) -> str:
    return open_checkpoint(folder).digest


def test_own_codecs_win_by_name_and_shipped_ones_are_found_beside_them(own: Path) -> None:
    catalog = Catalog(own)
    assert catalog.names() == ["cifar10", "mine", "shapes100"]
    assert set(catalog.all_names()) == {*catalog.names(), *Catalog(CODECS_SHIPPED).names()}
    assert catalog.open("cifar10").digest == digest(CODECS_SHIPPED / "shapes10")
    assert catalog.open("cifar100").digest == digest(CODECS_SHIPPED / "cifar100")
    assert [catalog.is_shipped(name) for name in ("cifar10", "cifar100")] == [False, True]


def test_damaged_codec_is_not_replaced_by_the_shipped_one(own: Path) -> None:
    assert find_codec(own, "shapes200") == own / "shapes200"
    with pytest.raises(CheckpointError, match="no codec 'shapes200'"):
        Catalog(own).open("shapes200")


def test_own_codecs_alone_are_taken_where_that_is_asked_for(own: Path) -> None:
    with pytest.raises(CheckpointError, match=r"available: cifar10, mine, shapes100$"):
        Catalog(own, own_only=True).open("cifar100")


def test_commands_say_which_codec_is_used(own: Path, capsys: pytest.CaptureFixture[str]) -> None:
    say_origins(["mine", "cifar10", "shapes100", "cifar100", "cifar100", "nowhere"], own)
    assert capsys.readouterr().out.splitlines() == [
        f"codec cifar10: the one in {own}, not the shipped one",
        f"codec cifar100: the shipped one; {own} has no codec of this name",
    ]
    say_origins(["cifar10"], CODECS_SHIPPED)
    assert capsys.readouterr().out == ""


def test_a_codec_with_other_words_and_the_same_digest_is_a_copy(
    own: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = own / "shapes100" / MANIFEST
    content = json.loads(path.read_text())
    content["training"] = {"command": "another"}
    path.write_text(json.dumps(content))
    say_origins(["shapes100"], own)
    assert capsys.readouterr().out == ""
