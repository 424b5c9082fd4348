"""Whatever a scenario holds, of either mode, it is one or one line that says what is wrong."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.live.live_scenario import LiveScenario, read_live_scenario
from orchestrator.live.traces import read_trace
from orchestrator.plan.scenario import Scenario, read_scenario
from orchestrator.plan.snr_points import MAX_POINTS
from semcom.errors import ConfigurationError
from semcom.points import ChannelSettings
from semcom.service import exit_code_of
from semcom.settings import read_yaml, validate
from tests.properties import examples

fuzz = examples(100)
GOOD = {
    "name": "fuzzed",
    "links": {"a": {"dataset": "shapes10", "codec": "shapes10"}},
    "channels": [{"model": "rician", "rician_k": 2.0, "coherence": 3}],
    "snr_db": {"start": -5, "stop": 15, "step": 2.5},
    "seeds": [0, 1],
    "threads": {"transmitter": 1},
    "ports": {"control": 5550},
}

LIVE = {
    "name": "fuzzed",
    "mode": "live",
    "links": {
        "a": {
            "dataset": "shapes10",
            "codec": "shapes10",
            "channel": {"model": "rician", "csi": "mismatch", "csi_error_variance": 0.1},
            "course": {"kind": "sine", "mean": 3, "amplitude": 13, "period_s": 90},
        },
        "b": {
            "dataset": "shapes10",
            "codec": "shapes10",
            "course": {"kind": "trace", "file": "trace.csv"},
        },
    },
    "window_s": 5,
}

scalars = (
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=10)
    | st.sampled_from(["awgn", "rician", "none", "mismatch", "sweep", "auto", "shapes10", "trace"])
    | st.sampled_from(["sine", "a\0b", "\ud800", 5e-324, 1e308, -30, 60, 61, 10**400])
)  # fmt: skip
keys = st.sampled_from(
    [*Scenario.model_fields, *ChannelSettings.model_fields, "start", "stop", "step", "kind", "file"]
) | st.text(max_size=6)
trees = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4),
    max_leaves=8,
)


def one_line(error: ConfigurationError) -> None:
    assert "\n" not in str(error)
    assert len(str(error)) < 1500


def live_taken_or_refused(content: object) -> None:
    try:
        scenario = validate(LiveScenario, content, where="live.yaml")
    except ConfigurationError as error:
        one_line(error)
        return
    assert validate(LiveScenario, scenario.model_dump(mode="json"), where="again") == scenario


def taken_or_refused(content: object) -> None:
    try:
        scenario = validate(Scenario, content, where="s.yaml")
    except ConfigurationError as error:
        one_line(error)
        return
    points = len(scenario.snr_points_db) * len(scenario.channels) * len(scenario.seeds)
    assert 1 <= points <= MAX_POINTS
    assert validate(Scenario, scenario.model_dump(mode="json"), where="again") == scenario


@fuzz
@given(content=st.dictionaries(keys, trees, max_size=5))
def test_any_map_is_a_scenario_or_refused_in_one_line(content):
    taken_or_refused(GOOD | content)
    taken_or_refused(content)


@fuzz
@given(
    field=st.sampled_from(["links", "channels", "snr_db", "threads", "ports"]),
    inner=st.dictionaries(keys, trees, max_size=3),
)
def test_any_value_inside_a_section_is_taken_or_refused_in_one_line(field, inner):
    section = GOOD[field]
    changed = [section[0] | inner] if isinstance(section, list) else section | inner
    taken_or_refused(GOOD | {field: changed})


@fuzz
@given(
    field=st.sampled_from(["", "channel", "course"]),
    inner=st.dictionaries(keys, trees, max_size=3),
)
def test_any_value_of_a_live_link_is_taken_or_refused_in_one_line(field, inner):
    link = LIVE["links"]["a"]
    changed = {**link, field: link[field] | inner} if field else link | inner
    live_taken_or_refused(LIVE | {"links": {"a": changed}})
    live_taken_or_refused(LIVE | inner)


@pytest.mark.parametrize("step", [5e-324, 1e-300, 1e-12, 1e-6])
def test_range_of_too_many_points_is_refused_before_it_is_counted_out(step):
    started_s = time.process_time()
    with pytest.raises(ConfigurationError, match="snr_db"):
        validate(Scenario, GOOD | {"snr_db": {"start": -30, "stop": 60, "step": step}}, where="s")
    assert time.process_time() - started_s < 5


@pytest.fixture(scope="module")
def workfile(tmp_path_factory):
    return tmp_path_factory.mktemp("scenario") / "s.yaml"


@fuzz
@given(data=st.data())
def test_any_damage_to_the_text_of_a_scenario_is_taken_or_refused_in_one_line(workfile, data):
    text = bytearray(yaml.safe_dump(GOOD).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(text)))
        text[place : place + data.draw(st.integers(0, 4))] = data.draw(
            st.binary(max_size=3) | st.sampled_from([b"&a ", b"*a", b"<<: ", b"!!", b"\t", b"- "])
        )
    workfile.write_bytes(bytes(text))
    code, told = ended(read_scenario, workfile)
    assert code in (0, 2)
    assert len(told) <= 1


@fuzz
@given(data=st.data())
def test_any_damage_to_a_live_scenario_or_its_trace_is_taken_or_refused(workfile, data):
    texts = {workfile: yaml.safe_dump(LIVE), workfile.with_name("trace.csv"): "0,1\n5,2\n"}
    for path, text in texts.items():
        damaged = bytearray(text.encode())
        for _ in range(data.draw(st.integers(0, 4))):
            place = data.draw(st.integers(0, len(damaged)))
            damaged[place : place + data.draw(st.integers(0, 4))] = data.draw(
                st.binary(max_size=3) | st.sampled_from([b"\t", b";", b"nan", b"/", b"1e9", b"\0"])
            )
        path.write_bytes(bytes(damaged))
    read_trace.cache_clear()
    code, told = ended(read_live_scenario, workfile)
    assert code in (0, 2)
    assert len(told) <= 1


def ended(read: Callable[[Path], object], path: Path) -> tuple[int, list[str]]:
    """The exit code that a command would end with, and its lines."""
    told: list[str] = []

    def work() -> None:
        try:
            read(path)
        except ConfigurationError as error:
            one_line(error)
            told.append(str(error))
            raise

    return exit_code_of(work, logging.getLogger("quiet")), told


def test_merged_maps_cannot_grow_without_bound(workfile):
    """Each level would double what the one inside it holds."""
    text = "{k: 1}"
    for level in range(40):
        text = f"{{<<: [&a{level} {text}, *a{level}, *a{level}]}}"
    workfile.write_text(f"a: {text}")
    started_s = time.process_time()
    with pytest.raises(ConfigurationError, match="merge keys"):
        read_yaml(workfile)
    assert time.process_time() - started_s < 5
