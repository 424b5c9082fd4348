"""Recordings hold the symbols of the run, and `sigmf` reads them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.inspection.choice import Wanted
from orchestrator.inspection.ranking import Which
from orchestrator.inspection.run_items import Look, inspect_run
from orchestrator.inspection.sigmf_recording import FIELDS, write_recordings
from orchestrator.plan.folders import Folders
from semcom.errors import ConfigurationError, StorageError
from tests.orchestrator.inspection.place import computed_here, evaluated, make_place

sigmf = pytest.importorskip("sigmf")
RUNNER = CliRunner()
LINKS = {"classes": "tiny", "pictures": "right", "sentences": "near"}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folders]:
    with computed_here():
        place = make_place(tmp_path_factory.mktemp("recorded"))
        for kind in LINKS:
            evaluated(place, kind)
        yield place


@pytest.mark.parametrize("kind", LINKS)
def test_recordings_have_the_symbols_and_say_whose_they_are(
    kind: str, folders: Folders, tmp_path: Path
) -> None:
    which = Which(items=[3, 12, 7], detail="symbols")
    wanted = Wanted(link=LINKS[kind], channel="rayleigh" if kind == "classes" else None)
    look = inspect_run(folders.runs / kind, wanted, folders=folders, which=which)
    assert look.items[0].answers[0].feature_sent is None
    write_recordings(look, tmp_path / "deep" / "symbols", sample_rate_hz=1e6)
    for part in ("sent", "received"):
        recording = sigmf.fromfile(tmp_path / "deep" / f"symbols.{part}.sigmf-meta")
        recording.validate()
        samples = recording.read_samples()
        assert samples.dtype == np.complex64
        assert recording.get_global_info()["core:datatype"] == "cf32_le"
        raw = np.fromfile(tmp_path / "deep" / f"symbols.{part}.sigmf-data", "<c8")
        assert np.array_equal(raw, samples)
        check_annotations(look, recording, part)
        captures = recording.get_captures()
        assert [each["rkd_sc:snr_db"] for each in captures] == [-5, 5, 15]
    collection = sigmf.fromfile(tmp_path / "deep" / "symbols.sigmf-collection")
    assert collection.get_stream_names() == ["symbols.sent", "symbols.received"]


def check_annotations(look: Look, recording: sigmf.SigMFFile, part: str) -> None:
    annotations = recording.get_annotations()
    assert len(annotations) == 3 * len(look.items)
    answers = {
        (item.number, answer.point): answer for item in look.items for answer in item.answers
    }
    for index, each in enumerate(annotations):
        answer = answers.pop((each["rkd_sc:item"], each["rkd_sc:point"]))
        start, count = each["core:sample_start"], each["core:sample_count"]
        assert np.array_equal(recording.read_samples(start, count), getattr(answer, part)), index
        own = {key.removeprefix("rkd_sc:") for key in each if key.startswith("rkd_sc:")}
        assert own <= set(FIELDS)
        assert each.get("rkd_sc:answer") == answer.text
        assert each.get("rkd_sc:right") == answer.right
        assert each["rkd_sc:metrics"] == answer.values
        gains = np.array(each["rkd_sc:csi"]) @ [1, 1j]
        assert np.array_equal(gains.astype(np.complex64), answer.csi)
    assert answers == {}


def test_equal_runs_give_equal_files(folders: Folders, tmp_path: Path) -> None:
    look = inspect_run(folders.runs / "classes", folders=folders, which=Which(items=[1]))
    for name in ("a", "b"):
        write_recordings(look, tmp_path / name, sample_rate_hz=1.0)
    for end in ("sent.sigmf-data", "received.sigmf-data", "sent.sigmf-meta", "received.sigmf-meta"):
        assert (tmp_path / f"a.{end}").read_bytes() == (tmp_path / f"b.{end}").read_bytes()


def test_command_records_the_first_items_and_overwrites_nothing(
    folders: Folders, tmp_path: Path
) -> None:
    places = ["--data", str(folders.data), "--codecs", str(folders.codecs)]
    run = ["--run", str(folders.runs / "classes"), "--out", str(tmp_path / "tiny")]
    words = ["record", "tiny", *run, *places, "--items", "4", "--snr-db", "5"]
    result = RUNNER.invoke(app, words)
    assert result.exit_code == 0, result.output
    assert result.output.count("wrote ") == 5
    recording = sigmf.fromfile(tmp_path / "tiny.sent.sigmf-meta")
    assert [each["rkd_sc:item"] for each in recording.get_annotations()] == [0, 1, 2, 3]
    again = RUNNER.invoke(app, words)
    assert isinstance(again.exception, ConfigurationError)
    assert "tiny.sent.sigmf-data already exists: choose another --out" in str(again.exception)


def test_place_that_cannot_be_written_is_one_line(folders: Folders, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    look = inspect_run(folders.runs / "classes", folders=folders, which=Which(items=[1]))
    with pytest.raises(StorageError, match="cannot write"):
        write_recordings(look, tmp_path / "file" / "x", sample_rate_hz=1.0)


def test_command_without_a_run_names_those_with_the_link(
    folders: Folders, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folders.runs.parent)
    named = folders.runs.name == "runs"
    found = str(RUNNER.invoke(app, ["record", "tiny"]).exception)
    assert found.startswith("--run is required")
    assert not named or found.endswith("runs with link 'tiny': runs/classes")
    unknown = str(RUNNER.invoke(app, ["record", "nobody"]).exception)
    assert unknown.endswith("no run in runs has link 'nobody': run a sweep first")
