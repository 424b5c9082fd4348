"""Whatever is wrong outside is told in one line, with the documented exit code."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

import pytest

from tests.integration.harness import command, start_sweep, write_scenario

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]


def check(printed: str, *words: str) -> None:
    """One line that says `error:` and holds the words; no traceback."""
    assert "Traceback" not in printed
    lines = [line for line in printed.splitlines() if line.startswith("error:")]
    assert len(lines) == 1, printed
    for word in words:
        assert word in lines[0], lines[0]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"snr": [1]}, ["snr", "unknown key", "snr_db"]),
        ({"snr_db": [99]}, ["snr_db", "60"]),
        ({"snr_db": [float("nan")]}, ["snr_db"]),
        ({"images": 0}, ["images", "from 1", "got 0"]),
        ({"channels": [{"model": "awg"}]}, ["channels", "awgn"]),
        ({"channels": [{"model": "awgn", "csi": "none"}]}, ["channels.0.csi", "no effect"]),
        ({"links": {}}, ["links"]),
        ({"engine": "tensorrt"}, ["engine", "torch", "onnxruntime"]),
        ({"links": {"a": {"dataset": "shapes10"}}}, ["codec"]),
        ({"images": 10**6}, ["1000000", "1000"]),
    ],
)
def test_bad_scenario_is_one_line_and_exit_code_2(
    changes: dict[str, object], words: list[str], workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **changes)
    code, printed = command("sweep", scenario, "--out", tmp_path / "run", cwd=workplace)
    assert code == 2, printed
    check(printed, *words)


def test_missing_scenario_is_exit_code_2(workplace: Path, tmp_path: Path) -> None:
    code, printed = command("sweep", tmp_path / "none.yaml", cwd=workplace)
    assert code == 2
    check(printed, "no such file", "none.yaml")


def test_missing_data_set_says_how_to_get_it(workplace: Path, tmp_path: Path) -> None:
    links = {"cifar10": {"dataset": "cifar10", "codec": "shapes10"}}
    scenario = write_scenario(tmp_path / "s.yaml", links=links)
    code, printed = command("sweep", scenario, "--out", tmp_path / "run", cwd=workplace)
    assert code == 2
    check(printed, "semcom data prepare cifar10")


def test_a_shipped_codec_is_copied_beside_others(tmp_path: Path) -> None:
    for name in ("shapes10", "shapes100"):
        assert command("checkpoints", "export", name, "codecs", cwd=tmp_path)[0] == 0
        assert (tmp_path / "codecs" / name / "manifest.json").exists()
    code, printed = command("checkpoints", "export", "shapes1000", "codecs", cwd=tmp_path)
    assert code == 6, printed
    check(printed, "no codec 'shapes1000' in codecs; available: shapes10, shapes100; shipped: ")


def test_port_in_use_is_exit_code_3(workplace: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name in ("control", "uplink"):
            scenario = write_scenario(tmp_path / f"{name}.yaml", ports={name: port})
            code, printed = command("sweep", scenario, "--out", tmp_path / name, cwd=workplace)
            assert code == 3, printed
            check(printed, str(port), "in use")


def test_unknown_codec_is_exit_code_6_and_names_those_there(
    workplace: Path, tmp_path: Path
) -> None:
    links = {"shapes10": {"dataset": "shapes10", "codec": "shapes11"}}
    scenario = write_scenario(tmp_path / "s.yaml", links=links)
    code, printed = command("sweep", scenario, "--out", tmp_path / "run", cwd=workplace)
    assert code == 6
    check(printed, "shapes11", "shapes100")


def test_codec_of_another_data_set_is_refused_before_anything_starts(
    workplace: Path, tmp_path: Path
) -> None:
    links = {"shapes10": {"dataset": "shapes10", "codec": "shapes100"}}
    scenario = write_scenario(tmp_path / "s.yaml", links=links)
    code, printed = command("sweep", scenario, "--out", tmp_path / "run", cwd=workplace)
    assert code == 2
    check(printed, "100 classes", "10")


def test_damaged_codec_is_exit_code_6(workplace: Path, tmp_path: Path) -> None:
    codecs = tmp_path / "codecs"
    shutil.copytree(workplace / "codecs", codecs)
    weights = codecs / "shapes10" / "receiver.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    code, printed = command(
        "sweep",
        write_scenario(tmp_path / "s.yaml"),
        "--out",
        tmp_path / "run",
        "--codecs",
        codecs,
        cwd=workplace,
    )
    assert code == 6
    check(printed, "receiver.safetensors", "SHA-256")


def test_run_that_is_there_is_not_overwritten(workplace: Path, tmp_path: Path) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", images=20, snr_db=[5])
    start_sweep(scenario, tmp_path / "run", workplace=workplace).finish()
    code, printed = command("sweep", scenario, "--out", tmp_path / "run", cwd=workplace)
    assert code == 2
    check(printed, "--resume")


def test_resume_with_another_scenario_is_refused(workplace: Path, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    small = write_scenario(tmp_path / "s.yaml", images=20, snr_db=[5])
    start_sweep(small, folder, workplace=workplace).finish()
    other = write_scenario(tmp_path / "o.yaml", images=20, snr_db=[6])
    code, printed = command("sweep", other, "--out", folder, "--resume", cwd=workplace)
    assert code == 2
    check(printed, "another plan")


def test_verify_refuses_a_folder_without_a_run(workplace: Path, tmp_path: Path) -> None:
    code, printed = command("verify", tmp_path / "nothing", cwd=workplace)
    assert code == 2
    check(printed, "nothing")
