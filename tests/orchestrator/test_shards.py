"""Several channel processes: what a scenario may ask for."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from orchestrator.live.scenario import LiveScenario
from orchestrator.scenarios import Scenario

LINK = {"dataset": "shapes10", "codec": "shapes10"}
SHARDED = {"name": "sharded", "links": {"a": LINK}, "snr_db": [5], "shards": 2, "receivers": 3}


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
