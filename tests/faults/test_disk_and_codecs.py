"""A full disk, and codecs that cannot be trusted: one line, the exit code, and nothing lost."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import resource
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load, save

from orchestrator.results.ledger import FrameRow
from semcom.checkpoints import open_checkpoint, write_checkpoint
from tests.faults.plant import LINK, Plant, check, launched, let_go
from tests.integration.harness import command, start_sweep, write_scenario
from tests.integration.test_errors import check as check_line

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]
OF_WEIGHTS = pytest.mark.skipif(
    "SEMCOM_TEST_CODECS" in os.environ, reason="the codecs that SEMCOM_TEST_CODECS names have none"
)


def test_disk_that_fills_up_under_the_ledger_ends_the_run_which_resumes(
    plant: Plant, undisturbed: list[FrameRow], workplace: Path, tmp_path: Path
) -> None:
    with plant.sweep(tmp_path) as run:
        files = [run.folder / name for name in ("ledger.sqlite", "ledger.sqlite-wal")]
        full = 4096 + max(path.stat().st_size for path in files)
        resource.prlimit(run.process.pid, resource.RLIMIT_FSIZE, (full, full))
        printed = run.output()
        assert run.process.returncode == 7, printed
        check_line(printed, "ledger", "free the disk and resume")
        assert command("verify", run.folder, cwd=workplace)[0] == 8
        plant.resume(run)
    plant.check(run.folder, undisturbed)


def truncated(content: bytes) -> bytes:
    return content[: len(content) // 2]


def not_finite(content: bytes) -> bytes:
    arrays = load(content)
    name = min(key for key in arrays if arrays[key].dtype.kind == "f")
    arrays[name] = np.full_like(arrays[name], np.nan)
    return save(arrays)


def misshapen(content: bytes) -> bytes:
    arrays = load(content)
    name = max(arrays, key=lambda key: arrays[key].ndim)
    arrays[name] = arrays[name][:-1].copy()
    return save(arrays)


def pickled(content: bytes) -> bytes:
    return pickle.dumps(load(content))


@OF_WEIGHTS
@pytest.mark.parametrize(
    ("damage", "end", "words"),
    [
        (truncated, "receiver", "not safetensors"),
        (not_finite, "transmitter", "NaN"),
        (pickled, "receiver", "not safetensors"),
        (misshapen, "receiver", "do not fit"),
        (misshapen, "transmitter", "do not fit"),
    ],
)
def test_codec_that_an_honest_manifest_vouches_for_is_still_refused(
    damage: Callable[[bytes], bytes], end: str, words: str, workplace: Path, tmp_path: Path
) -> None:
    codecs = tmp_path / "codecs"
    shutil.copytree(workplace / "codecs", codecs)
    weights = codecs / LINK / f"{end}.safetensors"
    content = damage(weights.read_bytes())
    weights.write_bytes(content)
    path = codecs / LINK / "manifest.json"
    manifest = json.loads(path.read_text())
    digest = hashlib.sha256(content).hexdigest()
    manifest["weights"][end] = {"bytes": len(content), "sha256": digest}
    path.write_text(json.dumps(manifest))
    links = {LINK: {"dataset": LINK, "codec": LINK}}
    scenario = write_scenario(tmp_path / "s.yaml", links=links, images=20, snr_db=[5])
    arguments = ("sweep", scenario, "--out", tmp_path / "run", "--codecs", codecs)
    code, printed = command(*arguments, cwd=workplace)
    assert code == 6, printed
    check_line(printed, words)


@OF_WEIGHTS
def test_decoder_of_another_codec_is_refused_and_the_run_resumes_with_the_right_one(
    undisturbed: list[FrameRow], workplace: Path, tmp_path: Path
) -> None:
    """The receiver is started again where a good codec of another digest lies."""
    codecs, right = tmp_path / "codecs", tmp_path / "right"
    shutil.copytree(workplace / "codecs", codecs)
    shutil.copytree(codecs / LINK, right)
    run = launched(tmp_path, workplace, "--codecs", str(codecs))
    _exchange(codecs / LINK)
    run.kill("receiver-1")
    let_go(run)
    printed = run.output()
    assert run.process.returncode == 6, printed
    check_line(printed, "both ends must use the same codec")
    shutil.rmtree(codecs / LINK)
    shutil.copytree(right, codecs / LINK)
    options = ("--resume", "--codecs", str(codecs))
    start_sweep(tmp_path / "s.yaml", run.folder, *options, workplace=workplace).finish()
    check(run.folder, run.folder / "logs", undisturbed)


def _exchange(folder: Path) -> None:
    """Put a whole codec in place of another: one weight of the receiver differs."""
    checkpoint = open_checkpoint(folder)
    receiver = dict(checkpoint.read_weights("receiver"))
    receiver["head.linear.bias"] = receiver["head.linear.bias"] + np.float16(1)
    weights = {"transmitter": checkpoint.read_weights("transmitter"), "receiver": receiver}
    other = folder.with_name("other")
    write_checkpoint(
        other,
        name=folder.name,
        dataset=checkpoint.manifest.dataset,
        architecture=checkpoint.manifest.architecture,
        weights=weights,
        training={},
        results={},
    )
    shutil.rmtree(folder)
    other.rename(folder)
