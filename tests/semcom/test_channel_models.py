"""Channel models of packages: found, checked, refused; how plans and messages hold them."""

from __future__ import annotations

import sys
from functools import reduce
from importlib.metadata import EntryPoint
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, ValidationError

from channel_sim.models.jakes import JakesChannel
from channel_sim.models.model import ChannelModel
from semcom import channel_models
from semcom.channel_choice import Channel, changed
from semcom.channel_models import GROUP, channel_of, installed, loaded, model_class
from semcom.errors import ConfigurationError
from semcom.identity import CHANNEL, content, fields
from semcom.messages import PointTable
from semcom.offered_models import offered_models
from semcom.points import MAX_LABEL, ChannelSettings, PluginChannel, PointSpec
from semcom.settings import Settings, validate
from semcom.wire import decode, encode


class Holder(Settings):
    channel: Channel = ChannelSettings()


def read(channel: object) -> ChannelSettings | PluginChannel:
    return validate(Holder, {"channel": channel}, where="s.yaml").channel


def complaint(channel: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read(channel)
    line = str(caught.value)
    assert "\n" not in line
    return line.removeprefix("s.yaml: ")


class Flat(ChannelModel):
    """A model of this test."""

    gain: float = Field(default=1.0, gt=0, description="of all symbols")
    words: tuple[str, ...] = ()

    def draw(self, streams: Any, *, symbols: int) -> None: ...
    def apply(self, symbols_BK: Any, state: None) -> Any:
        return symbols_BK

    def gains(self, state: None) -> None: ...


class WithoutCsi(BaseModel):
    def draw(self) -> None: ...
    def apply(self) -> None: ...


class Abstract(ChannelModel):
    def gains(self, state: None) -> None: ...


class NamesModel(Flat):
    model: str = "x"


@pytest.fixture
def package(monkeypatch):
    """Installs a model under the name `mine`: an object of a module, or an entry point's text."""

    def install(value: object) -> None:
        module = ModuleType("package_of_this_test")
        module.Mine = value
        monkeypatch.setitem(sys.modules, module.__name__, module)
        place = value if isinstance(value, str) else f"{module.__name__}:Mine"
        entries = {**channel_models._entries(), "mine": EntryPoint("mine", place, GROUP)}
        monkeypatch.setattr(channel_models, "_entries", lambda: entries)
        forget()

    yield install
    forget()


def forget() -> None:
    for cached in (model_class, loaded, offered_models):
        cached.cache_clear()


def test_ours_come_first_and_those_of_this_package_are_installed():
    names = installed()
    assert names[:3] == ["awgn", "rayleigh", "rician"]
    assert {"clipping", "jakes", "oscillator", "tdl", "trace"} <= set(names)
    assert model_class("jakes") is JakesChannel


def test_channel_is_held_without_what_is_as_by_default():
    assert read({"model": "jakes"}) == PluginChannel(model="jakes", settings={})
    assert read({"model": "jakes", "doppler": 0.01, "csi": "perfect"}) == read({"model": "jakes"})
    found = read({"model": "tdl", "delay_spread_ns": 100, "equalizer": "mmse"})
    assert found == PluginChannel(
        model="tdl", settings={"delay_spread_ns": 100.0, "equalizer": "mmse"}
    )
    assert read(found.model_dump(mode="json")) == found, "as plans and manifests have it"
    assert (loaded(found).delay_spread_ns, loaded(found).equalizer) == (100.0, "mmse")


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        ({"model": "jake"}, "channel.model: no channel model 'jake' is installed (did you mean"),
        ({"model": "magic"}, f"packages add others under the entry-point group {GROUP}"),
        ({"model": "jakes", "dopler": 0.1}, "channel.dopler: unknown key (did you mean doppler?)"),
        ({"model": "jakes", "doppler": 0.6}, "channel.doppler: must be a number from 0 to 0.5"),
        ({"model": "jakes", "doppler": float("nan")}, "channel.doppler: must be a number"),
        ({"model": "tdl", "spacing_khz": True}, "spacing_khz: must be a number, got true"),
        ({"model": "jakes", "doppler": "0.1"}, "doppler: must be a number, got '0.1'"),
        ({"model": "clipping", "csi": "perfect"}, "channel.csi: must be none, got 'perfect'"),
        ({"model": "trace", "sha256": "a" * 64}, "channel.file: missing; it must be a path"),
        ({"model": "tdl", "cyclic_prefix": 99}, "cyclic_prefix: longer than the OFDM symbol"),
        (
            {"model": "jakes", "csi": "none", "equalizer": "mmse"},
            "equalizer has no effect with csi",
        ),
        ({"model": "clipping", "equalizer": "mmse"}, "equalizer has no effect with csi: none"),
        ({"model": "jakes", "settings": {"doppler": 2}}, "channel.doppler: must be a number"),
        ({"model": "jakes", "settings": 1}, "channel.settings: unknown key"),
    ],
)
def test_wrong_model_or_setting_is_one_line(channel, expected):
    assert expected in complaint(channel)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("no_such_module:Mine", "cannot be loaded: ModuleNotFoundError"),
        ("package_of_this_test:Other", "cannot be loaded: AttributeError"),
        (42, "is not a pydantic model"),
        (dict, "is not a pydantic model"),
        (WithoutCsi, "lacks csi_of, csi, equalizer"),
        (Abstract, "lacks apply, draw"),
        (NamesModel, "has a field model; that name is already taken"),
    ],
)
def test_what_is_no_model_is_one_line_and_leaves_the_others(package, value, expected):
    package(value)
    assert expected in complaint({"model": "mine"})
    assert read({"model": "jakes"})
    assert "mine" not in offered_models()
    assert "jakes" in offered_models()


def test_model_that_a_package_brings_is_like_ours(package):
    package(Flat)
    found = read({"model": "mine", "gain": 2, "words": ["a", "b"]})
    assert found == PluginChannel(model="mine", settings={"gain": 2.0, "words": ["a", "b"]})
    assert loaded(found) == Flat(gain=2.0, words=("a", "b"))
    assert hash(found) == hash(read(found.model_dump()))
    assert found.label == 'mine gain=2 words=["a","b"]'
    kinds = {each["key"]: each["kind"] for each in offered_models()["mine"]}
    assert kinds == {"csi": "choice", "equalizer": "choice", "gain": "number", "words": "text"}


def test_too_many_settings_are_refused(package):
    package(Flat)
    assert "longer than 2,048 characters" in complaint({"model": "mine", "words": ["a" * 2100]})


def test_model_or_setting_that_this_host_lacks_is_a_configuration_error():
    with pytest.raises(ConfigurationError, match="no channel model 'theirs' is installed"):
        loaded(PluginChannel(model="theirs", settings={}))
    with pytest.raises(ConfigurationError, match="channel model jakes: newer: unknown key"):
        loaded(PluginChannel(model="jakes", settings={"newer": 1}))


def test_random_numbers_are_keyed_by_the_draw_not_by_the_receiver():
    def text(**settings: Any) -> str:
        return PointSpec(channel=channel_of("jakes", settings), snr_db=5.0).key_text

    assert text() == "jakes:{}:snr_db=5.0"
    assert text(csi="none") == text(equalizer="mmse") == text(doppler=0.01) == text()
    assert text(doppler=0.1) == 'jakes:{"doppler":0.1}:snr_db=5.0'


def test_digest_covers_what_is_set_and_no_default():
    """Pinned: plans over channel models keep their names."""
    channel = channel_of("tdl", {"profile": "tdl-c", "delay_spread_ns": 300, "coherence": 5})
    covered = content(PointSpec(channel=channel, snr_db=5.0), fields("snr_db", channel=CHANNEL))
    assert covered == {
        "snr_db": 5.0,
        "channel": {"model": "tdl", "settings": {"profile": "tdl-c", "coherence": 5}},
    }


def test_record_takes_no_model_of_ours_and_no_number_that_is_none():
    for wrong in ({"model": "awgn"}, {"settings": {"a": float("nan")}}, {"settings": {1: 2}}):
        with pytest.raises(ValidationError):
            PluginChannel.model_validate({"model": "mine", "settings": {}, **wrong})


def test_values_of_other_kinds_are_other_channels():
    records = [PluginChannel(model="mine", settings={"a": value}) for value in (1, 1.0, True)]
    assert len(set(records)) == 3


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ([0] * 65, "more than 64 items"),
        ([[0] * 65], "more than 64 items"),
        ({f"k{number}": 0 for number in range(65)}, "more than 64 items"),
        (2**64, "more than 64 bits"),
        ([-(2**63) - 1], "more than 64 bits"),
        ("\ud800", "surrogate"),
        ({"\udfff": 0}, "surrogate"),
    ],
    ids=["list", "inner-list", "map", "integer", "negative", "text", "key"],
)
def test_settings_that_no_message_can_hold_are_refused_where_they_are_written(value, why):
    with pytest.raises(ValidationError, match=why):
        PluginChannel(model="mine", settings={"a": value})


def test_a_list_that_is_too_long_is_one_line_about_the_channel(package):
    package(Flat)
    assert "more than 64 items" in complaint({"model": "mine", "words": ["a"] * 65})


@pytest.mark.parametrize(
    "value",
    [[0] * 64, 2**64 - 1, -(2**63), reduce(lambda inner, _: [inner], range(200), 1)],
    ids=["list", "integer", "negative", "deep"],
)
def test_settings_at_their_bounds_go_through_a_message(value):
    channel = PluginChannel(model="mine", settings={"a": value})
    table = PointTable(run="a", total=1, first=0, points=[PointSpec(channel=channel, snr_db=1.0)])
    assert decode(encode(table))[0] == table


SETTINGS = st.dictionaries(
    st.text("abc_", min_size=1, max_size=8),
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=40)
    | st.floats(allow_nan=False, allow_infinity=False) | st.lists(st.integers(0, 9), max_size=4),
    max_size=8,
)  # fmt: skip


@given(settings=SETTINGS, other=SETTINGS)
def test_record_goes_through_messages_and_json_and_has_a_bounded_label(settings, other):
    channel = PluginChannel(model="mine", settings=settings)
    point = PointSpec(channel=channel, snr_db=1.0)
    table = PointTable(run="a", total=1, first=0, points=[point])
    assert decode(encode(table))[0] == table
    assert PointSpec.model_validate_json(point.model_dump_json()) == point
    assert len(channel.label) <= MAX_LABEL
    assert channel.label.isprintable()
    another = PluginChannel(model="mine", settings=other)
    if another == channel:
        assert hash(another) == hash(channel)


JAKES = PluginChannel(model="jakes", settings={"doppler": 0.1})
BLOCKS = ChannelSettings(model="rayleigh", coherence=50)


@pytest.mark.parametrize(
    ("before", "model", "settings", "after"),
    [
        (JAKES, None, {"csi": "none"}, {"doppler": 0.1, "csi": "none"}),
        (JAKES, "jakes", {"doppler": 0.2}, {"doppler": 0.2}),
        (JAKES, "jakes", {}, {"doppler": 0.1}),
        (BLOCKS, "jakes", {"doppler": 0.2}, {"doppler": 0.2}),
    ],
)
def test_channel_is_changed_to_other_settings(before, model, settings, after):
    found = changed(before, model=model, settings=settings, where="a")
    assert found == PluginChannel(model="jakes", settings=after)


def test_channel_is_changed_among_ours_and_back():
    rician = changed(BLOCKS, model="rician", settings={"rician_k": 9}, where="a")
    assert rician == ChannelSettings(model="rician", coherence=50, rician_k=9.0)
    assert changed(BLOCKS, model="awgn", settings={}, where="a").model == "awgn"
    assert changed(JAKES, model="awgn", settings={}, where="a") == ChannelSettings()


@pytest.mark.parametrize(
    ("before", "model", "settings", "expected"),
    [
        (JAKES, None, {"rician_k": 1}, "a: channel.rician_k: unknown key"),
        (BLOCKS, None, {"rician_k": 1}, "a: channel.rician_k: has no effect"),
        (BLOCKS, "magic", {}, "a: channel.model: no channel model 'magic'"),
    ],
)
def test_change_to_what_does_not_exist_is_one_line(before, model, settings, expected):
    with pytest.raises(ConfigurationError, match=expected):
        changed(before, model=model, settings=settings, where="a")
