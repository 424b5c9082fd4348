"""Manifests of format 2, and families that are installed, unknown, or none."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel

from semcom import plugins
from semcom.checkpoints import Checkpoint, open_checkpoint, weight_files, write_codec
from semcom.codec_manifest import FamilyManifest
from semcom.errors import CheckpointError, ConfigurationError
from semcom.families import Family, all_families, family_of, registry
from semcom.tasks.reconstruction import Reconstruction

CONTENTS: dict[Any, bytes] = {"transmitter": b"sends", "receiver": b"receives"}


class Knobs(BaseModel):
    """Of the made-up family: a field that is there, and one that came later."""

    turns: int
    later: int = 0


MADE_UP = Family(
    name="made-up", title="Made up", architecture=Knobs,
    files={"transmitter": "a.bin", "receiver": "b.bin"},
    transmitter="nowhere:load", receiver="nowhere:load",
)  # fmt: skip


@pytest.fixture
def made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = SimpleNamespace(load=lambda: MADE_UP, dist=None)
    monkeypatch.setattr(plugins, "_others", lambda group: {"made-up": entry})
    registry.family_of.cache_clear()
    yield
    registry.family_of.cache_clear()


def manifest_of(**changes: Any) -> FamilyManifest:
    content = {
        "name": "mine", "family": "made-up", "system": "mine", "dataset": "own",
        "task": {"kind": "reconstruction", "shape": [32, 32, 3]}, "symbols": 7,
        "architecture": {"turns": 3}, "weights": weight_files(CONTENTS), **changes,
    }  # fmt: skip
    return FamilyManifest.model_validate(content)


def written(folder: Path, **changes: Any) -> Checkpoint:
    return write_codec(folder / "mine", manifest_of(**changes), CONTENTS)


@pytest.mark.usefixtures("made_up")
class TestInstalled:
    def test_codec_comes_back_as_it_was_written(self, tmp_path):
        codec = written(tmp_path)
        read = open_checkpoint(tmp_path / "mine", expected_digest=codec.digest)
        assert read.manifest == codec.manifest
        assert read.manifest.task == Reconstruction(shape=(32, 32, 3))
        assert (read.manifest.symbols, read.manifest.needs_snr) == (7, False)
        assert read.read_half("receiver") == b"receives"
        assert sorted(path.name for path in (tmp_path / "mine").iterdir()) == [
            "a.bin", "b.bin", "manifest.json",
        ]  # fmt: skip
        content = json.loads((tmp_path / "mine" / "manifest.json").read_text())
        assert (content["format"], content["family"]) == (2, "made-up")

    def test_digest_is_pinned(self):
        """It names codecs in stored runs: it must not change."""
        digest = "aa904a96d8d13facb508447b41478e31623a848446969ceaa3fc23f0e8913d8a"
        assert manifest_of().digest == digest

    @pytest.mark.parametrize(
        "changes",
        [
            {"task": {"kind": "reconstruction", "shape": [16, 32, 3]}},
            {"task": {"kind": "classification", "classes": 3}},
            {"symbols": 8}, {"needs_snr": True}, {"architecture": {"turns": 4}},
            {"weights": weight_files({**CONTENTS, "receiver": b"receives!"})},
        ],
    )  # fmt: skip
    def test_digest_covers_all_that_decides_the_answers(self, changes):
        assert manifest_of(**changes).digest != manifest_of().digest

    @pytest.mark.parametrize(
        "changes",
        [{"name": "other"}, {"dataset": "other"}, {"system": "other"}, {"training": {"seed": 1}}],
    )
    def test_digest_leaves_out_what_is_only_said(self, changes):
        assert manifest_of(**changes).digest == manifest_of().digest

    @pytest.mark.parametrize(
        ("changes", "text"),
        [
            ({"architecture": {}}, "turns"),
            ({"task": {"kind": "cooking"}}, "no task 'cooking'; available: classification"),
            ({"task": {"kind": "classification", "classes": 1}}, "classes"),
            ({"symbols": 0}, "symbols"),
            ({"symbols": 5000}, "symbols"),
            ({"classes": ["a", "b"]}, "classes holds 2 names"),
            ({"format": 3}, "format"),
        ],
    )
    def test_manifest_that_does_not_fit_is_one_line(self, tmp_path, changes, text):
        codec = written(tmp_path)
        path = codec.folder / "manifest.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))
        with pytest.raises(CheckpointError, match=text) as caught:
            open_checkpoint(codec.folder)
        assert len(str(caught.value).splitlines()) == 1

    def test_altered_half_is_refused(self, tmp_path):
        codec = written(tmp_path)
        codec.path("receiver").write_bytes(b"RECEIVES")
        with pytest.raises(CheckpointError, match="SHA-256"):
            codec.verify()

    def test_what_only_the_paper_s_codecs_have_is_refused_by_name(self, tmp_path):
        with pytest.raises(CheckpointError, match="of the family made-up; this function takes"):
            written(tmp_path).read_weights("receiver")


def test_family_that_is_not_installed_is_one_line(tmp_path):
    (tmp_path / "mine").mkdir()
    content = {"format": 2, "name": "mine", "family": "nobodys", "system": "x", "dataset": "own",
               "task": {"kind": "classification", "classes": 2}, "symbols": 1, "architecture": {},
               "weights": {}}  # fmt: skip
    (tmp_path / "mine" / "manifest.json").write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"no codec family 'nobodys'.*rkd_sc\.families") as e:
        open_checkpoint(tmp_path / "mine")
    assert e.value.exit_code == 6


def test_package_that_cannot_be_imported_is_one_line(monkeypatch):
    def broken() -> Any:
        raise ImportError("no libmagic\nand more")

    entry = SimpleNamespace(load=broken, dist=SimpleNamespace(name="their-package"))
    monkeypatch.setattr(plugins, "_others", lambda group: {"theirs": entry})
    with pytest.raises(ConfigurationError, match="from their-package, cannot be imported") as e:
        family_of.__wrapped__("theirs")
    assert len(str(e.value).splitlines()) == 1


def test_ours_are_there_and_nobody_takes_their_names(monkeypatch):
    names = [family.name for family in all_families()]
    assert names[:4] == ["rkd", "jscc", "semnoma", "torch-export"]
    entry = SimpleNamespace(load=lambda: MADE_UP, dist=None)
    monkeypatch.setattr(plugins, "_others", lambda group: {"rkd": entry})
    assert family_of.__wrapped__("rkd").title == "RKD-SC"
