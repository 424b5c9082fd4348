"""Errors of settings: the path as it was written, the value, what is allowed; of every model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import pytest
from pydantic import BaseModel, Field, SecretStr

from channel_sim.settings import BrokerSettings
from orchestrator.jobs.settings import JobsSettings
from orchestrator.live.live_scenario import LiveScenario
from orchestrator.live.requests import ChannelRequest, CodecRequest, SweepRequest
from orchestrator.plan.scenario import Scenario
from orchestrator.training.semnoma.settings import SemnomaSettings
from orchestrator.training.settings import TrainingSettings
from receiver.settings import ReceiverSettings
from semcom.errors import ConfigurationError
from semcom.messages import Name
from semcom.settings import Settings, validate
from semcom.type_words import (
    MAX_QUOTED,
    Spot,
    chooser,
    is_union,
    of_field,
    opened,
    words_of,
)
from transmitters.settings import TransmitterSettings

WRITTEN: tuple[type[BaseModel], ...] = (
    Scenario, LiveScenario, ChannelRequest, CodecRequest, SweepRequest, TransmitterSettings,
    BrokerSettings, ReceiverSettings, JobsSettings, TrainingSettings, SemnomaSettings,
)  # fmt: skip


def spots(spot: Spot, path: str, seen: set[Any]) -> Iterator[tuple[str, Spot]]:
    """Everything that a model reads, and how it is called."""
    yield path, spot
    if spot.model is not None:
        if spot.model in seen:
            return
        seen.add(spot.model)
        for name, field in spot.model.model_fields.items():
            yield from spots(of_field(field), f"{path}.{name}", seen)
    elif is_union(spot.type):
        for tag, arm in spot.arms.items():
            yield from spots(arm, f"{path}[{tag}]", seen)
    else:
        for number, argument in enumerate(get_args(spot.type)):
            if argument is not Ellipsis and not isinstance(argument, str | int | bool):
                yield from spots(opened(argument, ()), f"{path}<{number}>", seen)


ALL = [each for model in WRITTEN for each in spots(Spot(model), model.__name__, set())]


def test_every_union_that_a_user_writes_is_told_apart_before_it_is_read():
    """Else pydantic tries all members and tells the errors of each."""
    unions = [(path, spot) for path, spot in ALL if is_union(spot.type)]
    assert len(unions) >= 6
    for path, spot in unions:
        models = [arm.model is not None for arm in spot.arms.values()]
        assert (all(models) and chooser(spot)) or models.count(True) <= 1, path


def test_every_pattern_haswords_of():
    texts = [(path, words_of(spot)) for path, spot in ALL if spot.type is str]
    assert len(texts) > 20
    assert [path for path, words in texts if "matches" in words] == []


def test_words_of_everything_are_plain():
    for path, spot in ALL:
        words = words_of(spot)
        assert words, path
        for odd in ("Annotated", "Literal", "typing", "class ", "NoneType"):
            assert odd not in words, (path, words)


class Cat(Settings):
    kind: Literal["cat"]
    lives: int = Field(default=9, ge=1, le=9)
    name: str = ""


class Dog(Settings):
    kind: Literal["dog"]
    tricks: list[str] = Field(default=[], max_length=3)
    name: str = ""


class Zoo(Settings):
    pets: dict[Name, Annotated[Cat | Dog, Field(discriminator="kind")]] = Field(default={})
    open: bool = True
    visitors: int = Field(default=1, ge=0)
    share: float = Field(default=0.5, gt=0, lt=1)
    size: tuple[int, int] = (1, 2)
    folder: Path = Path()
    secret: str = Field(default="", pattern="^[a-z]*$", repr=False)
    sealed: SecretStr = Field(default=SecretStr(""), max_length=3, repr=False)


def complaint(content: object) -> str:
    with pytest.raises(ConfigurationError) as caught:
        validate(Zoo, content, where="zoo.yaml")
    line = str(caught.value)
    assert "\n" not in line
    assert line.isascii()
    assert line.startswith("zoo.yaml: ")
    return line.removeprefix("zoo.yaml: ")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (
            {"pets": {"tom": {"kind": "cat", "lives": 0}}},
            "pets.tom.lives: must be a whole number from 1 to 9, got 0",
        ),
        (
            {"pets": {"tom": {"kind": "cat", "tricks": []}}},
            "pets.tom.tricks: has no effect with kind: cat; it belongs to kind: dog",
        ),
        (
            {"pets": {"tom": {"kind": "cat", "livs": 1}}},
            "pets.tom.livs: unknown key (did you mean lives?); allowed: kind, lives, name",
        ),
        (
            {"pets": {"rex": {"kind": "dog", "tricks": ["a"] * 4}}},
            "pets.rex.tricks: must be a list of 0 to 3, each a string, got",
        ),
        (
            {"pets": {"rex": {"kind": "doge"}}},
            "pets.rex.kind: must be one of cat, dog, got 'doge' (did you mean dog?)",
        ),
        ({"pets": {"rex": {"name": "x"}}}, "pets.rex.kind: missing; it must be one of cat, dog"),
        ({"pets": {"rex": 3}}, "pets.rex: must be a map with kind: cat, dog, got 3"),
        (
            {"pets": {"Rex!": {"kind": "dog"}}},
            "pets: the key 'Rex!' must be a name: up to 64 of a-z",
        ),
        ({"pets": {"a\nb": {"kind": "dog", "x": 1}}}, r"pets.'a\nb'.x: unknown key"),
        ({"open": "yes"}, "open: must be true or false, got 'yes'"),
        ({"open": 1}, "open: must be true or false, got 1"),
        ({"visitors": True}, "visitors: must be a whole number, got true"),
        ({"visitors": "3"}, "visitors: must be a whole number, got '3'"),
        ({"visitors": 2.5}, "visitors: must be a whole number from 0, got 2.5"),
        ({"visitors": None}, "visitors: must be a whole number from 0, got null"),
        (
            {"open": 10**5000},
            "open: must be true or false, got a number with thousands of digits",
        ),
        ({"share": 1}, "share: must be a number above 0 below 1, got 1"),
        ({"share": float("nan")}, "share: must be a number above 0 below 1, got nan"),
        ({"share": float("inf")}, "share: must be a number above 0 below 1, got inf"),
        ({"size": [1]}, "size.1: missing; it must be a whole number"),
        ({"size": [1, 2, 3]}, "size: must be a list of 2, each a whole number, got [1, 2, 3]"),
        ({"folder": 3}, "folder: must be a path, got 3"),
        ({"folder": "a\0b"}, "folder: holds the character U+0000, which is not allowed in text"),
        (
            {"pets": {"a": {"kind": "cat", "name": "\ud800"}}},
            "pets.a.name: holds the character U+D800",
        ),
        ({"name": "x" * 10_000}, "name: unknown key"),
        ({"open": "x" * 10_000}, "open: must be true or false, got 'xxx"),
    ],
)
def test_error_names_the_path_as_written_the_value_and_what_is_allowed(content, expected):
    line = complaint(content)
    assert line.startswith(expected), line
    assert len(line) < 400 + MAX_QUOTED


def test_secret_is_never_quoted():
    assert complaint({"secret": "S3CRET"}) == "secret: must be a string that matches ^[a-z]*$"
    assert "S3CRET" not in complaint({"sealed": "S3CRET"})
    assert "S3CRET" not in complaint({"sealed": ["S3CRET"]})


def test_unknown_key_goes_before_the_key_that_it_was_meant_to_be():
    class Named(Settings):
        name: str

    with pytest.raises(ConfigurationError, match=r"^f: nmae: unknown key \(did you mean name\?\)"):
        validate(Named, {"nmae": "x"}, where="f")


def test_whole_numbers_and_numbers_are_one_where_nothing_is_lost():
    zoo = validate(Zoo, {"visitors": 1e3, "share": 0.5, "size": (3, 4.0)}, where="f")
    assert (zoo.visitors, zoo.size) == (1000, (3, 4))
