"""`semcom checkpoints verify`: arrays are checked here, networks in a process with torch."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
import typer.testing

from orchestrator.cli.main import app
from orchestrator.plan import codec_probe
from orchestrator.training import probe_process
from semcom.errors import CheckpointError, ProcessFailedError
from tests.semcom.small_codec import fitting_arrays, write_small_codec
from tests.semcom.test_codec_arrays import BAD, USELESS


def verify(root: Path, *names: str) -> str:
    """What the command prints; raises its error."""
    found = typer.testing.CliRunner().invoke(
        app, ["checkpoints", "verify", *names, "--codecs", str(root)], catch_exceptions=False
    )
    assert found.exit_code == 0
    return found.stdout


def test_networks_are_run_in_a_process_and_its_refusal_is_the_commands(tmp_path):
    write_small_codec(tmp_path / "good")
    assert "good: ok, digest" in verify(tmp_path)
    end, change, expected = USELESS["decodes to NaN"]
    write_small_codec(tmp_path / "nan", **{end: change(fitting_arrays(end))})
    with pytest.raises(ProcessFailedError, match=expected) as caught:
        verify(tmp_path)
    assert caught.value.exit_code == 6


def test_without_torch_the_arrays_are_checked_and_the_rest_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(codec_probe, "find_spec", lambda _: None)
    write_small_codec(tmp_path / "good")
    printed = verify(tmp_path, "good")
    assert "good: ok, digest" in printed
    assert codec_probe.NO_TORCH in printed
    end, change, expected = BAD["negative variance"]
    write_small_codec(tmp_path / "bad", **{end: change(fitting_arrays(end))})
    with pytest.raises(CheckpointError, match=expected):
        verify(tmp_path, "bad")


@pytest.mark.parametrize("name", ["../good", "/tmp", "Good", "good/", ""])
def test_codec_goes_by_a_name_and_no_path(tmp_path, name):
    write_small_codec(tmp_path / "codecs" / "good")
    write_small_codec(tmp_path / "good")
    with pytest.raises(CheckpointError, match="a name matches"):
        verify(tmp_path / "codecs", name)


@pytest.mark.parametrize("case", USELESS)
def test_process_refuses_what_loading_refuses(case, tmp_path, capsys):
    end, change, _ = USELESS[case]
    write_small_codec(tmp_path, **{end: change(fitting_arrays(end))})
    assert probe_process.main([str(tmp_path)]) == 6
    line = capsys.readouterr().err
    assert line.startswith("error: codec ")
    assert len(line.splitlines()) == 1


def test_process_that_dies_is_said_with_its_code(tmp_path, monkeypatch):
    died = subprocess.CompletedProcess([], -9, "", "")
    monkeypatch.setattr(codec_probe.subprocess, "run", lambda *_, **__: died)
    with pytest.raises(ProcessFailedError, match="exit code -9") as caught:
        codec_probe.run_networks([tmp_path])
    assert caught.value.exit_code == 70
