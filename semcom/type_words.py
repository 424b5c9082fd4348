"""Describe what a value of a setting's type must be, for users' error messages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from semcom.read_as import MemberOf, ReadAs

MAX_QUOTED = 120
NAMES = re.compile(r"\^\[a-z0-9\]\[a-z0-9\._-\]\{0,(\d+)\}\$")
PATTERNS = {
    r"^tcp://[A-Za-z0-9.*\-]+:\d{1,5}$": "an address tcp://HOST:PORT",
    r"^([A-Za-z0-9.\-]+|\*)$": "the name or IPv4 address of a host, or '*'",
    r"^(\*|[A-Za-z0-9._-]{1,253})$": "the name of a host, or '*'",
    r"^(auto|cpu|cuda(:\d+)?)$": "auto, cpu, cuda or cuda:N",
}


class Spot(NamedTuple):
    """A type with its constraints: what a value must be."""

    type: Any
    metadata: tuple[Any, ...] = ()

    @property
    def arms(self) -> dict[str, Spot]:
        """Return the members of a union by tag; empty if it is not a union."""
        if not is_union(self.type):
            return {}
        members = [opened(each, ()) for each in get_args(self.type)]
        return {_tag(each): each for each in members}

    def of(self, content: Any) -> Spot:
        """Return the member named by a content if the union does not list it; otherwise self."""
        named = (each.find(content) for each in self.metadata if isinstance(each, MemberOf))
        model = next(named, None)
        return self if model is None else Spot(model)

    @property
    def model(self) -> type[BaseModel] | None:
        """The model, if it is one."""
        is_model = isinstance(self.type, type) and issubclass(self.type, BaseModel)
        return self.type if is_model else None


def of_field(field: FieldInfo) -> Spot:
    """Return what a field of a model must be."""
    return opened(field.annotation, tuple(field.metadata))


def opened(annotation: Any, metadata: tuple[Any, ...]) -> Spot:
    """Return a type without wrappers: neither `Annotated` nor optional."""
    while True:
        for each in metadata:
            if isinstance(each, ReadAs):
                annotation, metadata = each.written, ()
        members = get_args(annotation)
        if get_origin(annotation) is Annotated:
            annotation = members[0]
            metadata = (*metadata, *(part for each in members[1:] for part in _flat(each)))
        elif is_union(annotation) and type(None) in members:
            rest = tuple(each for each in members if each is not type(None))
            annotation = rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 - built here
        elif not any(isinstance(each, ReadAs) for each in metadata):
            return Spot(annotation, metadata)


def words_of(spot: Spot) -> str:
    """Return what a value of a type must be."""
    kind, arguments = spot.type, get_args(spot.type)
    origin = get_origin(kind) or kind
    if is_union(kind):
        return _words_of_union(spot)
    if origin is Literal:
        return one_of([quoted(a) if isinstance(a, bool) else str(a) for a in arguments])
    if spot.model is not None:
        keys = list(spot.model.model_fields)
        return f"a map of {', '.join(keys)}" if len(keys) <= 8 else "a map of settings"
    if kind is bool:
        return "true or false"
    if kind in (int, float):
        return _bounds(spot, "a whole number" if kind is int else "a number")
    if kind is str:
        return _text(spot)
    if isinstance(origin, type) and issubclass(origin, Path):
        return "a path"
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return f"a map{_size(spot)}, each {words_of(opened(arguments[-1], ()))}"
    if isinstance(origin, type) and issubclass(origin, Sequence) and arguments:
        fixed = origin is tuple and Ellipsis not in arguments
        size = f" of {len(arguments)}" if fixed else _size(spot)
        return f"a list{size}, each {words_of(opened(arguments[0], ()))}"
    return "a value" if kind is Any else getattr(kind, "__name__", "a value").lower()


def is_union(kind: Any) -> bool:
    """Return whether a type has members."""
    return get_origin(kind) in (Union, UnionType)


def chooser(union: Spot) -> str:
    """Return the key that selects a member of a union; empty if there is none."""
    fields = {_chooser_of(arm.model) for arm in union.arms.values() if arm.model is not None}
    every = all(arm.model is not None for arm in union.arms.values())
    found = fields.pop() if every and len(fields) == 1 else None
    return found or ""


def one_of(values: Sequence[str]) -> str:
    """Return the only value, or a list of the allowed ones."""
    return values[0] if len(values) == 1 else f"one of {', '.join(values)}"


def quoted(value: object) -> str:
    """Return a value in YAML notation, as one bounded line."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, dict | list | tuple):
        try:
            return bounded(json.dumps(value, default=str, ensure_ascii=True), MAX_QUOTED)
        except (ValueError, TypeError, RecursionError):
            return "a map" if isinstance(value, dict) else "a list"
    if isinstance(value, Path):
        value = str(value)
    try:
        return bounded(repr(value), MAX_QUOTED)
    except ValueError:
        return "a number with thousands of digits"


def bounded(text: str, most: int) -> str:
    """Return a text, truncated with an ellipsis if it is longer than `most`."""
    return text if len(text) <= most else f"{text[:most]}..."


def _words_of_union(spot: Spot) -> str:
    key, arms = chooser(spot), spot.arms
    if key:
        return f"a map with {key}: {', '.join(arms)}"
    return ", or ".join(words_of(arm) for arm in arms.values())


def _bounds(spot: Spot, what: str) -> str:
    words = [what]
    for limit, word in (("ge", "from"), ("gt", "above"), ("le", "to"), ("lt", "below")):
        found = next((getattr(m, limit) for m in spot.metadata if hasattr(m, limit)), None)
        words += [f"{word} {_number(found)}"] if found is not None else []
    return " ".join(words)


def _number(value: Any) -> str:
    return f"{int(value):,}" if value == int(value) else f"{value:g}"


def _text(spot: Spot) -> str:
    patterns = [each.pattern for each in spot.metadata if getattr(each, "pattern", None)]
    if not patterns:
        return f"a string{_size(spot, 'characters')}"
    (pattern,) = patterns[:1]
    name = NAMES.fullmatch(pattern)
    if name is not None:
        most = int(name[1]) + 1
        return (
            f"a name: up to {most} of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"
        )
    return PATTERNS.get(pattern, f"a string that matches {pattern}")


def _size(spot: Spot, of: str = "") -> str:
    """Return the bounds on the number of entries or characters."""
    fewest = next((m.min_length for m in spot.metadata if hasattr(m, "min_length")), 0)
    most = next((m.max_length for m in spot.metadata if hasattr(m, "max_length")), None)
    if most is None:
        return f" of {fewest} or more {of}".rstrip() if fewest else ""
    return f" of {fewest} to {most:,} {of}".rstrip()


def _flat(metadata: Any) -> tuple[Any, ...]:
    """Return the constraints of a type one by one; `Field(...)` has several."""
    return tuple(metadata.metadata) if isinstance(metadata, FieldInfo) else (metadata,)


def _tag(member: Spot) -> str:
    """Return pydantic's name for a member of a union in a location."""
    for each in member.metadata:
        if isinstance(each, Tag):
            return each.tag
    field = None if member.model is None else _chooser_of(member.model)
    if member.model is not None and field is not None:
        return str(get_args(member.model.model_fields[field].annotation)[0])
    return str(member.type)


def _chooser_of(model: type[BaseModel]) -> str | None:
    """Return the first field with a single allowed value."""
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
            return name
    return None
