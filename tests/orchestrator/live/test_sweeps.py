"""Which sweeps a live system takes: those that mean the same with processes of their own."""

from __future__ import annotations

import pytest

from orchestrator.live.hosted_sweep import check_fits
from orchestrator.plan.scenario import Scenario, SystemSettings
from semcom.errors import ConfigurationError

LINKS = {"a": {"dataset": "shapes10", "codec": "shapes10"}}


def scenario(**changes) -> Scenario:
    return Scenario.model_validate({"name": "s", "links": LINKS, "snr_db": [0], **changes})


def test_takes_a_sweep_that_asks_for_what_runs():
    check_fits(scenario(), SystemSettings(name="live"), ["a", "b"])
    edge = SystemSettings(name="live", engine="onnxruntime")
    check_fits(scenario(engine="onnxruntime"), edge, ["a"])
    two = SystemSettings(name="live", receivers=2, ports={"control": 5550}, log_frames=True)
    check_fits(scenario(receivers=2, ports={"control": 5550}, log_frames=True), two, ["a"])
    check_fits(scenario(), two, ["a"])


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"engine": "onnxruntime"}, "asks for engine onnxruntime, the running processes have"),
        ({"receiver_engine": "onnxruntime"}, "asks for receiver_engine onnxruntime, the running"),
        ({"decoding": "throughput"}, "asks for decoding throughput"),
        ({"device": "cuda"}, "asks for device cuda"),
        ({"threads": {"transmitter": 2}}, "asks for threads"),
        ({"links": {"c": LINKS["a"]}}, "no transmitter for link c"),
        ({"receivers": 2}, "receivers: has no effect in a live system"),
        ({"keep_answers": True}, "keep_answers: has no effect in a live system"),
        ({"shards": 2, "links": {**LINKS, "b": LINKS["a"]}}, "shards: has no effect"),
        ({"noise_engine": "numba"}, "noise_engine: has no effect"),
        ({"ports": {"control": 5550}}, "ports: has no effect"),
        ({"security": {"keys": "k"}}, "security: has no effect"),
        ({"log_frames": True}, "log_frames: has no effect"),
    ],
)
def test_refuses_a_sweep_whose_answers_could_differ_or_whose_settings_do_nothing(
    changes, complaint
):
    with pytest.raises(ConfigurationError, match=complaint):
        check_fits(scenario(**changes), SystemSettings(name="live"), ["a", "b"])


def test_links_that_meet_need_one_shard():
    both = scenario(
        links={name: {"dataset": "tiny", "codec": "tiny"} for name in ("a", "b")},
        groups={"cell": {"links": ["a", "b"]}},
    )
    check_fits(both, SystemSettings(name="live"), ["a", "b"])
    with pytest.raises(ConfigurationError, match="several shards"):
        check_fits(both, SystemSettings(name="live", shards=2), ["a", "b"])
