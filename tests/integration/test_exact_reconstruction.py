"""Images that come back are those of one process, whatever processes, windows and noise engines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.harness import command, results_digest, start_sweep, write_scenario
from tests.integration.pair_place import place_of_pair

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

SMALL = {
    "links": {name: {"dataset": "shapes10", "codec": "single"} for name in ("east", "west")},
    "channels": [{"model": "awgn"}, {"model": "rayleigh"}],
    "snr_db": [-5, 5],
    "images": 200,
    "frame_images": 25,
    "keep_answers": True,
}


@pytest.fixture(scope="module")
def place(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with drawn images, and a codec that gives images back."""
    with place_of_pair(tmp_path_factory.mktemp("exact"), workplace) as folder:
        yield folder


@pytest.fixture(scope="module")
def evaluated(place: Path) -> Path:
    """The same in one process."""
    scenario, folder = write_scenario(place / "s.yaml", **SMALL), place / "one-process"
    code, printed = command("evaluate", "--scenario", scenario, "--out", folder, cwd=place)
    assert code == 0, printed
    return folder


def images_of(folder: Path) -> dict[str, bytes]:
    """Every answer as it was kept, by its path in the run's folder."""
    files = (folder / "answers").rglob("*")
    return {str(file.relative_to(folder)): file.read_bytes() for file in files if file.is_file()}


@pytest.mark.parametrize(
    "changes",
    [
        {"window": 32, "receivers": 3, "encode_once": False},
        {"window": 1, "shards": 2, "noise_engine": "numba"},
    ],
    ids=["window-32-three-receivers-encode-each-time", "window-1-two-shards-compiled-noise"],
)
def test_images_are_those_of_one_process_byte_for_byte(
    changes: dict[str, object], evaluated: Path, place: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **SMALL, **changes)
    start_sweep(scenario, tmp_path / "run", workplace=place).finish()
    assert results_digest(tmp_path / "run") == results_digest(evaluated)
    expected = images_of(evaluated)
    assert len(expected) == 2 * 4 * 8
    assert images_of(tmp_path / "run") == expected
