"""Which sweeps a live system takes: those that mean the same with processes of their own."""

from __future__ import annotations

import pytest

from orchestrator.live.sweeps import check_fits
from orchestrator.scenarios import Scenario, SystemSettings
from semcom.errors import ConfigurationError

LINKS = {"a": {"dataset": "shapes10", "codec": "shapes10"}}


def scenario(**changes) -> Scenario:
    return Scenario.model_validate({"name": "s", "links": LINKS, "snr_db": [0], **changes})


def test_takes_a_sweep_that_asks_for_what_runs():
    check_fits(scenario(), SystemSettings(name="live"), ["a", "b"])
    edge = SystemSettings(name="live", engine="onnxruntime")
    check_fits(scenario(engine="onnxruntime"), edge, ["a"])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"engine": "onnxruntime"}, "asks for engine onnxruntime, the running processes have"),
        ({"decoding": "throughput"}, "asks for decoding throughput"),
        ({"device": "cuda"}, "asks for device cuda"),
        ({"threads": {"transmitter": 2}}, "asks for threads"),
        ({"links": {"c": LINKS["a"]}}, "no transmitter for link c"),
    ],
)
def test_refuses_a_sweep_whose_answers_could_differ(changes, complaint):
    with pytest.raises(ConfigurationError, match=complaint):
        check_fits(scenario(**changes), SystemSettings(name="live"), ["a", "b"])
