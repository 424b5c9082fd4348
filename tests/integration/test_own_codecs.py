"""Codecs of somebody else, in the processes: the examples as their readers run them, and kills."""

from __future__ import annotations

import csv
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import rkd_sc
from orchestrator.results.run_folder import open_ledger
from tests.integration.harness import (
    DEADLINE_S,
    REPO,
    SEMCOM,
    command,
    eventually,
    results_digest,
    skip_without,
    start_held_sweep,
    write_scenario,
)
from tests.integration.pages import metric

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]
MODULES, FAMILY = REPO / "examples" / "own_modules", REPO / "examples" / "own_family"
TUTORIAL = REPO / "docs" / "tutorials" / "own_codec.py"
AUTOENCODER = {"pictures": {"dataset": "shapes10", "codec": "autoencoder"}}


def run_script(script: Path, *words: str, cwd: Path, site: Path | None = None) -> str:
    paths = [str(REPO), *([] if site is None else [str(site)])]
    done = subprocess.run(
        [sys.executable, str(script), *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def place(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with drawn images, where the tutorial's autoencoder was run."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "data").symlink_to(workplace / "data")
    script = folder / "autoencoder.py"
    text = TUTORIAL.read_text()
    assert "STEPS = 200" in text
    script.write_text(text.replace("STEPS = 200", "STEPS = 3"))
    printed = run_script(script, cwd=folder)
    assert [line.split(":")[0] for line in printed.splitlines()] == ["0 dB", "10 dB", "20 dB"]
    return folder


def test_autoencoder_s_run_is_whole_and_reported_by_its_metrics(place: Path) -> None:
    folder = place / "runs" / "autoencoder"
    code, printed = command("verify", folder, cwd=place)
    assert code == 0, printed
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert {row["task"] for row in rows} == {"reconstruction"}
    assert all(float(row["psnr_ci95_low"]) < float(row["psnr"]) for row in rows)
    assert {path.name for path in folder.glob("*.png")} >= {"psnr.png", "ssim.png", "mse.png"}
    page = (folder / "report.html").read_text()
    assert "PSNR" in page
    assert "ccuracy" not in page


def test_killed_receiver_changes_no_image(place: Path, tmp_path: Path) -> None:
    scenario = write_scenario(
        tmp_path / "s.yaml", engine="torch", links=AUTOENCODER, snr_db=[0, 10], receivers=2,
        images=200,
    )  # fmt: skip
    folder = tmp_path / "run"
    run = start_held_sweep(scenario, folder, workplace=place, link="pictures", frames=80)
    run.wait_recorded(20, "pictures")

    def serving() -> list[str]:
        both = ("receiver-1", "receiver-2")
        return [peer for peer in both if metric(run, peer, "semcom_images_decoded_total") > 0]

    eventually(lambda: bool(serving()), "a receiver that has answered")
    run.kill(serving()[-1])
    run.finish()
    evaluated = rkd_sc.evaluate(
        yaml.safe_load(scenario.read_text()), tmp_path / "one-process", data=place / "data",
        codecs=place / "codecs",
    )  # fmt: skip
    assert results_digest(folder) == evaluated.results_digest
    with open_ledger(folder) as ledger, open_ledger(evaluated.folder) as other:
        assert [row.score for row in ledger.rows()] == [row.score for row in other.rows()]


def test_classifier_of_torchvision_cut_in_two_is_swept(place: Path) -> None:
    printed = run_script(MODULES / "classifier.py", cwd=place)
    assert "98 symbols an image" in printed
    (row,) = rkd_sc.load_run(place / "runs" / "squeezenet").results
    assert (row.task, row.images, row.score["items"]) == ("classification", 50, 50)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that pip has installed the example's family into."""
    skip_without(setuptools=77)
    folder = tmp_path_factory.mktemp("family")
    source, target = folder / "source", folder / "site"
    shutil.copytree(FAMILY, source)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-index", "--no-deps", "--no-build-isolation", "--target", str(target)]
    subprocess.run([*pip, *options, str(source)], check=True, timeout=300)
    return target


def test_family_of_a_package_is_swept_by_the_commands_of_its_readme(
    site: Path, workplace: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "data").symlink_to(workplace / "data")
    (tmp_path / "examples").symlink_to(REPO / "examples")
    text = (FAMILY / "README.md").read_text()
    block = text.partition("```sh\n")[2].partition("```")[0]
    for line in block.splitlines()[1:]:  # the first one installs
        program, *words = shlex.split(line, comments=True)
        if program == "python":
            run_script(tmp_path / words[0], cwd=tmp_path, site=site)
            continue
        assert program == "semcom"
        done = subprocess.run(
            [*SEMCOM, *words], cwd=tmp_path, check=False, timeout=DEADLINE_S,
            capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPO), str(site)])},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
    rows = rkd_sc.load_run(tmp_path / "runs" / "thumbnail").results
    psnr = {(row.channel, row.snr_db): row.values["psnr"] for row in rows}
    assert psnr["awgn", 20.0] > psnr["awgn", 10.0] > psnr["awgn", 0.0]
    assert psnr["awgn", 20.0] > 15.0
    monkeypatch.chdir(tmp_path)
    code, printed = command("sweep", "examples/own_family/scenario.yaml", cwd=tmp_path)
    assert code == 6, printed
    assert "no codec family 'thumbnail' is installed" in printed
    assert "rkd_sc.families" in printed
