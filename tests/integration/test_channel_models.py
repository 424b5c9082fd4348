"""Channel models of entry points in the processes: whatever dies, the answers of one process."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.integration.harness import command, eventually, start_held_sweep, write_scenario
from tests.integration.pages import metric
from tests.integration.test_exactness import predictions_of, reference

pytestmark = [pytest.mark.processes, pytest.mark.timeout(900)]

LINK, FRAMES = "shapes10", 40
CHANNELS = [
    {"model": "tdl", "profile": "tdl-c", "delay_spread_ns": 1000, "subcarriers": 32},
    {"model": "jakes", "doppler": 0.02, "equalizer": "mmse"},
]


def test_killed_receiver_changes_no_answer_over_tdl_and_jakes(
    workplace: Path, tmp_path: Path
) -> None:
    scenario = write_scenario(
        tmp_path / "s.yaml",
        engine="torch",
        links={LINK: {"dataset": LINK, "codec": LINK}},
        channels=CHANNELS,
        snr_db=[0, 10],
        images=5 * FRAMES,
        receivers=2,
    )
    folder = tmp_path / "run"
    run = start_held_sweep(scenario, folder, workplace=workplace, link=LINK, frames=2 * FRAMES)
    run.wait_recorded(FRAMES // 2, LINK)

    def serving() -> list[str]:
        both = ("receiver-1", "receiver-2")
        return [peer for peer in both if metric(run, peer, "semcom_images_decoded_total") > 0]

    eventually(lambda: bool(serving()), "a receiver that has answered")
    run.kill(serving()[-1])
    assert run.recorded(LINK) < 4 * FRAMES
    run.finish()
    found = predictions_of(folder)
    expected = reference(workplace, folder, frame_images=5)
    assert found.keys() == expected.keys() == {(LINK, point) for point in range(4)}
    for key, predictions_N in expected.items():
        np.testing.assert_array_equal(found[key], predictions_N, err_msg=str(key))
    assert not np.array_equal(found[LINK, 0], found[LINK, 2]), "tdl and jakes differ"
    assert command("verify", folder, cwd=workplace)[0] == 0
