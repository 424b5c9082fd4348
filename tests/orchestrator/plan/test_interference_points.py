"""Interference in scenarios: what is swept, and what cannot be meant."""

from __future__ import annotations

from typing import Any

import pytest

from orchestrator.plan.scenario import Scenario
from semcom.errors import ConfigurationError
from semcom.interference import Interference
from semcom.settings import validate

LINKS = {name: {"dataset": "d", "codec": "c"} for name in "abc"}
CELL = {"kind": "interference", "links": ["a", "b", "c"]}


def scenario_of(**changes: Any) -> Scenario:
    content = {
        "name": "s",
        "links": LINKS,
        "groups": {"cell": CELL},
        "interference": {"sir_db": [0, 10], "interferers": [0, 1, 2]},
        "snr_db": [5],
        **changes,
    }
    return validate(Scenario, content, where="s.yaml")


def test_every_number_of_interferers_is_swept_over_every_sir_and_none_of_them_once():
    settings = scenario_of().interference
    assert settings is not None
    assert settings.points == [
        None,
        *(Interference(interferers=n, sir_db=sir_db) for n in (1, 2) for sir_db in (0.0, 10.0)),
    ]


def test_sirs_may_be_a_range():
    swept = {"sir_db": {"start": 0, "stop": 12, "step": 6}, "interferers": [1]}
    settings = scenario_of(interference=swept).interference
    assert settings is not None
    assert [each.sir_db for each in settings.points if each is not None] == [0.0, 6.0, 12.0]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"interference": None},
            "group cell: set interference, which defines how strongly its links interfere",
        ),
        ({"groups": {}}, "interference does not apply to link a"),
        ({"groups": {"cell": {**CELL, "links": ["a", "b"]}}}, "does not apply to link c"),
        ({"groups": {"cell": {"links": ["a", "b", "c"]}}}, "does not apply to link a"),
        (
            {"groups": {"cell": {**CELL, "powers": {"a": 0.5, "b": 0.3, "c": 0.2}}}},
            "powers apply only to superposed links",
        ),
        (
            {"interference": {"sir_db": [0], "interferers": [3]}},
            "interferers: 3, but a link of group cell meets at most 2",
        ),
        ({"interference": {"sir_db": [0, 0], "interferers": [1]}}, "sir_db contains a value twice"),
        ({"interference": {"sir_db": [0], "interferers": [1, 1]}}, "interferers contains a value"),
        ({"interference": {"sir_db": [0], "interferers": [0]}}, "only 0 means no interference"),
        ({"interference": {"sir_db": [0], "interferers": [1], "occurrence": 0}}, "occurrence"),
        (
            {"channels": [{"model": "jakes", "doppler": 0.01}]},
            "channel model jakes does not define the channel of interferers",
        ),
    ],
)
def test_interference_that_cannot_be_meant_is_one_line(changes: dict[str, Any], said: str):
    with pytest.raises(ConfigurationError) as raised:
        scenario_of(**changes)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)
