"""Tables of increments by SNR: how they are chosen, what they give, where they stand."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from semcom.checkpoints import CODECS_SHIPPED, Checkpoint, open_checkpoint, state_rates
from semcom.codec_manifest import MANIFESTS
from semcom.errors import ConfigurationError, ProtocolError
from semcom.increments import Rate, first_counts
from semcom.points import PointSpec
from semcom.snr_rates import SnrRates, SnrStep, choose_rates, told_spec

SNRS_DB = (-10.0, -5.0, 0.0, 5.0)


def copied(name: str, folder: Path) -> Checkpoint:
    return open_checkpoint(shutil.copytree(CODECS_SHIPPED / name, folder / name))


def table(*steps: tuple[float, int]) -> SnrRates:
    return SnrRates(steps=tuple(SnrStep(snr_db=snr_db, increments=n) for snr_db, n in steps))


@pytest.mark.parametrize(
    ("snr_db", "increments"), [(-12.0, None), (-10.0, 3), (-0.1, 3), (0.0, 1), (40.0, 1)]
)
def test_table_holds_from_a_step_to_the_next_and_below_the_first_all_are_sent(
    snr_db: float, increments: int | None
) -> None:
    assert table((-10, 3), (0, 1)).at(snr_db) == increments


@pytest.mark.parametrize(
    ("steps", "why"),
    [
        ([], "at least 1"),
        ([(0, 2), (0, 1)], "rise in snr_db"),
        ([(0, 2), (5, 2)], "fall in increments"),
        ([(0, 0)], "greater than or equal to 1"),
        ([(float("nan"), 1)], "finite|greater"),
    ],
)
def test_table_that_does_not_descend_is_refused(steps: list[tuple[float, int]], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        SnrRates.model_validate(
            {"steps": [{"snr_db": snr_db, "increments": number} for snr_db, number in steps]}
        )


def test_chosen_are_the_fewest_increments_that_cost_little_over_every_channel() -> None:
    awgn = [[0.5, 0.9, 0.9], [0.90, 0.9, 0.9], [0.9, 0.9, 0.9], [0.9, 0.9, 0.9]]
    rayleigh = [[0.3, 0.4, 0.8], [0.7, 0.8, 0.8], [0.79, 0.8, 0.8], [0.8, 0.8, 0.8]]
    chosen = choose_rates(SNRS_DB, np.array([awgn, rayleigh]), tolerance=0.005)
    assert chosen == table((-10, 3), (-5, 2), (5, 1))
    lax = choose_rates(SNRS_DB, np.array([awgn, rayleigh]), tolerance=0.02)
    assert lax == table((-10, 3), (-5, 2), (0, 1))


@given(
    shares=st.lists(
        st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3), min_size=4, max_size=4
    ),
    tolerance=st.floats(0, 1),
)
def test_chosen_table_is_valid_and_costs_at_most_the_tolerance(
    shares: list[list[float]], tolerance: float
) -> None:
    measured = np.array([shares])
    chosen = choose_rates(SNRS_DB, measured, tolerance=tolerance)
    assert chosen.steps[0].snr_db == SNRS_DB[0]
    numbers = [chosen.at(snr_db) or 3 for snr_db in SNRS_DB]
    assert numbers == sorted(numbers, reverse=True)
    fewest = [1 + next(n for n in range(3) if row[n] >= row[-1] - tolerance) for row in measured[0]]
    assert all(number >= least for number, least in zip(numbers, fewest, strict=True))
    assert numbers == [max(fewest[at:]) for at in range(4)]


@given(snr_db=st.floats(-30, 60), seed=st.integers(0, 2**31))
def test_link_is_told_a_number_on_the_same_noise(snr_db: float, seed: int) -> None:
    point = PointSpec(snr_db=snr_db, seed=seed, rate=Rate(by_snr=True))
    told = told_spec(point, table((-10, 3), (0, 1)))
    wanted = None if snr_db < -10 else Rate(increments=3 if snr_db < 0 else 1)
    assert told.rate == wanted
    assert told.model_copy(update={"rate": point.rate}) == point
    assert told.key_text == point.key_text


@pytest.mark.parametrize("rate", [None, Rate(increments=2), Rate(confidence=0.5)])
def test_other_rates_stay_as_they_are(rate: Rate | None) -> None:
    point = PointSpec(snr_db=0.0, rate=rate)
    assert told_spec(point, table((-10, 3))) is point


def test_without_a_table_all_increments_are_sent() -> None:
    assert told_spec(PointSpec(snr_db=0.0, rate=Rate(by_snr=True)), None).rate is None


def test_rate_by_snr_has_a_name_and_leaves_stored_rates_as_they_were() -> None:
    assert PointSpec(snr_db=0.0, rate=Rate(by_snr=True)).label == "awgn increments=snr"
    assert Rate(increments=2).model_dump() == {"increments": 2, "confidence": None}
    assert Rate.model_validate({"by_snr": True}) == Rate(by_snr=True)
    with pytest.raises(ValidationError, match="either"):
        Rate(increments=1, by_snr=True)


def test_transmitter_refuses_a_rate_that_was_not_resolved() -> None:
    with pytest.raises(ProtocolError, match="without the number of increments"):
        first_counts(Rate(by_snr=True), 3, increments=4)


def test_table_stands_in_the_manifest_and_leaves_the_digest(tmp_path: Path) -> None:
    codec = copied("shapes10-nested", tmp_path)
    made = state_rates(codec, table((-10, 3), (0, 1)), {"images": 7})
    again = open_checkpoint(made.folder)
    assert again.manifest.snr_rates == table((-10, 3), (0, 1))
    assert again.manifest.training["snr_rates"] == {"images": 7}
    assert again.digest == open_checkpoint(CODECS_SHIPPED / "shapes10-nested").digest
    assert state_rates(again, table((0, 2)), {}).manifest.snr_rates == table((0, 2))


def test_table_of_a_codec_of_one_length_or_beyond_its_increments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="only of codewords of several lengths"):
        state_rates(copied("shapes10", tmp_path), table((0, 1)), {})
    with pytest.raises(ConfigurationError, match="more increments than the 4 of the codec"):
        state_rates(copied("shapes10-nested", tmp_path), table((0, 5)), {})


def test_manifest_without_a_table_is_written_as_before() -> None:
    path = CODECS_SHIPPED / "shapes10" / "manifest.json"
    content = json.loads(path.read_text())
    assert "snr_rates" not in json.loads(MANIFESTS.validate_python(content).as_json())
