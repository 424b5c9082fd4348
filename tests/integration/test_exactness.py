"""The predictions of the processes are those of one process over the same modules, image by image.

They depend on nothing else: not on the order of arrival, the number of receivers or the window;
on the batch size only where float rounding decides a near tie, which is counted.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from orchestrator.results.ledger import Ledger
from orchestrator.training.reference import evaluate
from semcom.checkpoints import open_checkpoint
from semcom.shards import Shard
from tests.integration.harness import results_digest, start_sweep, write_scenario

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

SMALL = {"images": 200, "frame_images": 25, "snr_db": [-5, 5], "engine": "torch"}


@pytest.fixture(scope="module")
def finished(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exact")
    scenario = write_scenario(folder / "s.yaml", **SMALL)
    start_sweep(scenario, folder / "run", workplace=workplace).finish()
    return folder / "run"


def predictions_of(folder: Path) -> dict[tuple[str, int], npt.NDArray[np.uint16]]:
    """Predictions by (link, point), in the order of the images."""
    ledger = Ledger(folder / "ledger.sqlite")
    found: dict[tuple[str, int], list[bytes]] = {}
    for row in ledger.rows():
        found.setdefault((row.link, row.point), []).append(row.answer)
    ledger.close()
    return {key: np.frombuffer(b"".join(parts), dtype="<u2") for key, parts in found.items()}


def reference(
    workplace: Path, folder: Path, *, frame_images: int, images: int | None = None
) -> dict[tuple[str, int], npt.NDArray[np.uint16]]:
    """The same predictions, or those of the first images, in this process, without a socket."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    ledger = Ledger(folder / "ledger.sqlite")
    plan = ledger.plan
    ledger.close()
    try:
        return {
            (link, point): evaluate(
                open_checkpoint(workplace / "codecs" / plan.codec_at(link, point).name),
                Shard(workplace / "data" / plan.links[link].dataset, "test"),
                plan.points[point].spec,
                link=link,
                images=images or plan.links[link].images,
                frame_images=frame_images,
            ).answers
            for link in plan.links
            for point in plan.points_of(link)
        }
    finally:
        torch.set_num_threads(threads)


def test_predictions_equal_the_single_process_reference_image_by_image(
    finished: Path, workplace: Path
) -> None:
    distributed = predictions_of(finished)
    expected = reference(workplace, finished, frame_images=25)
    assert distributed.keys() == expected.keys()
    assert len(distributed) == 2 * 4
    for key, predictions_N in expected.items():
        np.testing.assert_array_equal(distributed[key], predictions_N, err_msg=str(key))


def test_predictions_are_not_trivial(finished: Path) -> None:
    assert all(len(np.unique(found)) > 5 for found in predictions_of(finished).values())


@pytest.fixture(scope="module")
def without_torch(workplace: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The digest of the same sweep by ONNX Runtime, whose processes start much sooner."""
    folder = tmp_path_factory.mktemp("without_torch")
    scenario = write_scenario(folder / "s.yaml", **{**SMALL, "engine": "onnxruntime"})
    start_sweep(scenario, folder / "run", workplace=workplace).finish()
    return results_digest(folder / "run")


@pytest.mark.parametrize(
    "changes",
    [
        {"window": 32, "receivers": 3, "encode_once": False},
        {"window": 1, "shards": 2, "noise_engine": "numba"},
    ],
    ids=[
        "window-32-three-receivers-encode-each-time",
        "window-1-two-shards-compiled-noise",
    ],
)
def test_digest_does_not_depend_on_window_receivers_shards_noise_engine_or_arrival(
    changes: dict[str, object], without_torch: str, workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **{**SMALL, "engine": "onnxruntime"}, **changes)
    start_sweep(scenario, tmp_path / "run", workplace=workplace).finish()
    assert results_digest(tmp_path / "run") == without_torch


def test_other_batch_sizes_change_predictions_only_at_near_ties(
    finished: Path, workplace: Path
) -> None:
    distributed = predictions_of(finished)
    for frame_images, images in ((1, 64), (40, 200)):
        other = reference(workplace, finished, frame_images=frame_images, images=images)
        pairs = [(distributed[key][:images], other[key]) for key in distributed]
        differing = sum(int((one_N != other_N).sum()) for one_N, other_N in pairs)
        total = sum(len(other_N) for _, other_N in pairs)
        assert total == 8 * images
        assert differing <= total // 500, f"{differing} of {total} at {frame_images} a frame"


def test_throughput_mode_agrees_in_accuracy(
    finished: Path, workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(tmp_path / "s.yaml", **SMALL, decoding="throughput")
    start_sweep(scenario, tmp_path / "run", workplace=workplace).finish()
    exact, merged = predictions_of(finished), predictions_of(tmp_path / "run")
    differing = sum(int((exact[key] != merged[key]).sum()) for key in exact)
    assert differing <= sum(len(found) for found in exact.values()) // 500


def test_every_image_is_in_the_ledger_once(finished: Path) -> None:
    database = sqlite3.connect(finished / "ledger.sqlite")
    rows = database.execute(
        "SELECT point, link, COUNT(*), COUNT(DISTINCT frame), SUM(images) FROM frames "
        "GROUP BY point, link"
    ).fetchall()
    database.close()
    assert len(rows) == 8
    assert all(count == distinct == 8 and images == 200 for _, _, count, distinct, images in rows)
