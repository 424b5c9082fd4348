"""The example of a data set of one's own, by the commands of its README."""

from __future__ import annotations

import csv
import json
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from semcom.checkpoints import open_checkpoint
from semcom.shards import Shard
from tests.integration.harness import DEADLINE_S, REPO, command

EXAMPLE = REPO / "examples" / "own_dataset"
CLASSES = ["class 1", "class 2", "class 10"]  # numbers in names sort as numbers

pytestmark = [pytest.mark.processes, pytest.mark.timeout(600)]


def commands() -> list[list[str]]:
    blocks = re.findall(r"```sh\n(.*?)```", (EXAMPLE / "README.md").read_text(), flags=re.S)
    return [shlex.split(line) for block in blocks for line in block.splitlines()]


def test_the_commands_of_the_example_make_train_and_sweep_a_data_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # threads that wait for each other are slower
    folder = tmp_path / "own_dataset"
    shutil.copytree(EXAMPLE, folder)
    printed: dict[str, str] = {}
    for program, *words in commands():
        if program == "python":
            subprocess.run([sys.executable, *words], cwd=folder, check=True, timeout=DEADLINE_S)
            continue
        assert program == "semcom"
        code, printed[words[0]] = command(*words, cwd=folder)
        assert code == 0, printed[words[0]]
    for line in (
        "12 images converted from grey to RGB",  # half of them of 16 bit
        "6 images converted from CMYK to RGB",
        "6 images converted from 16 bit to 8 bit",
        "6 images converted from a palette to RGB",
        "1 left out: damaged; it is class 1/damaged.png",
        "1 left out: not named like images; it is class 1/notes.txt",
        "9 test images held out, a share of 0.2",
        "3 classes, 39 train, 9 test images",
    ):
        assert line in printed["data"], line
    test = Shard(folder / "data" / "mine", "test")
    assert test.manifest.classes == CLASSES
    assert test.manifest.image_size == 32
    codec = open_checkpoint(folder / "codecs" / "mine-smoke").manifest
    assert codec.classes == CLASSES
    with (folder / "runs" / "mine" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {(row["channel"], float(row["snr_db"])) for row in rows} == {
        (model, snr_db) for model in ("awgn", "rayleigh") for snr_db in (0.0, 20.0)
    }
    assert all(int(row["images"]) == len(test) for row in rows)
    manifest = json.loads((folder / "runs" / "mine" / "manifest.json").read_text())
    assert test.digest in json.dumps(manifest)
