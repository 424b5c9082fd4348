"""Digests: frozen lists of fields, and fields that are added later."""

from __future__ import annotations

from typing import Literal

import pytest
from pydantic import BaseModel

from semcom.identity import content, fields


class Inner(BaseModel):
    side: int = 8


class Frozen(BaseModel):
    name: str = "a"
    inner: Inner = Inner()
    several: list[Inner] = [Inner(), Inner(side=9)]
    by_name: dict[str, Inner] = {"x": Inner()}
    run: str = "left out"


LIST = fields("name", inner=fields("side"), several=fields("side"), by_name=fields("side"))


class LaterInner(Inner):
    depth: int = 1


class Later(Frozen):
    inner: LaterInner = LaterInner()
    several: list[LaterInner] = [LaterInner(), LaterInner(side=9)]
    by_name: dict[str, LaterInner] = {"x": LaterInner()}
    colour: str | None = None


def test_frozen_fields_are_covered_whatever_their_value():
    assert content(Frozen(), LIST) == {
        "name": "a",
        "inner": {"side": 8},
        "several": [{"side": 8}, {"side": 9}],
        "by_name": {"x": {"side": 8}},
    }


def test_fields_that_are_added_later_change_nothing_at_their_defaults():
    assert content(Later(), LIST) == content(Frozen(), LIST)


@pytest.mark.parametrize(
    ("changed", "adds"),
    [
        (Later(colour="red"), {"colour": "red"}),
        (Later(inner=LaterInner(depth=2)), {"inner": {"side": 8, "depth": 2}}),
        (Later(several=[LaterInner(depth=2)]), {"several": [{"side": 8, "depth": 2}]}),
        (Later(by_name={"y": LaterInner(depth=2)}), {"by_name": {"y": {"side": 8, "depth": 2}}}),
    ],
)
def test_fields_that_are_added_later_are_covered_where_they_are_used(changed, adds):
    assert content(changed, LIST) == content(Frozen(), LIST) | adds


def test_kind_of_a_model_is_always_covered():
    class Kind(BaseModel):
        kind: Literal["only"] = "only"
        size: int = 1

    assert content(Kind(), fields()) == {"kind": "only"}
