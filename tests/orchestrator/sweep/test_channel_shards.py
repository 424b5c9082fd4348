"""Several channel processes: what a scenario may ask for."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from orchestrator.control.system import open_system
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import Scenario
from orchestrator.sweep.state import Sweep
from semcom.errors import ConfigurationError
from semcom.messages import CodecReport, Hello
from semcom.stop_signals import StopRequest
from tests.orchestrator.ledgers import fake_plan

LINK = {"dataset": "shapes10", "codec": "shapes10"}
LINKS = {"a": LINK, "b": LINK}
SHARDED = {"name": "sharded", "links": LINKS, "snr_db": [5], "shards": 2, "receivers": 3}


def test_every_shard_has_receivers_of_its_own():
    names = Scenario.model_validate(SHARDED).receiver_names
    assert names == [f"receiver-{number}" for number in range(1, 7)]


@pytest.mark.parametrize(
    "changes",
    [{"ports": {"uplink": 5551}}, {"ports": {"downlink": 5552}}, {"security": {"keys": "k"}}],
)
def test_shards_cannot_share_a_port_or_a_key(changes):
    with pytest.raises(ValidationError, match="several shards choose their own ports"):
        Scenario.model_validate({**SHARDED, **changes})


def test_live_system_has_one_channel():
    links = {"a": {**LINK, "rate_hz": 1}}
    with pytest.raises(ValidationError, match="shards"):
        LiveScenario.model_validate({"name": "x", "mode": "live", "links": links, "shards": 2})


def test_no_shard_is_without_a_link():
    with pytest.raises(ValidationError, match="2 shards, but only 1 links"):
        Scenario.model_validate({**SHARDED, "links": {"a": LINK}})


def test_shards_are_started_here_or_not_at_all(tmp_path):
    scenario = Scenario.model_validate({**SHARDED, "ports": {"control": 5550}})
    with (
        pytest.raises(ConfigurationError, match="shards"),
        open_system(scenario, tmp_path, Folders(), launch=False, stop=StopRequest()),
    ):
        pass


def test_codec_that_one_shard_refuses_ends_the_run_though_another_has_it():
    """A link of that shard would wait for ever."""
    plan = fake_plan()
    (codec,) = plan.links["shapes10"].codecs
    other = plan.links["shapes100"].codecs[0]
    for sharded in (False, True):
        sweep = Sweep(plan, recorded={}, window=1, encode_once=True, sharded=sharded)
        for peer in ("receiver-1", "receiver-2"):
            held = [codec.digest, other.digest] if peer == "receiver-1" else []
            hello = Hello(role="receiver", peer=peer, instance="0" * 16, codecs=held)
            sweep.hello(hello)
        for refused in (codec, other):
            report = CodecReport(codec=refused.name, digest=refused.digest, loaded=False)
            sweep.codec_report("receiver-2", report)
        assert sweep.stuck is sharded
