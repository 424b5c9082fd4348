"""Says what is wrong with settings: the key as it was written, the value, and what is allowed.

pydantic's own words name its types and the members of its unions, which nobody has written. Here
an error's location is followed through the models, beside the content that was given.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from semcom.read_as import ReadAs

MAX_QUOTED = 120
MAX_PATH = 200
MAX_ALLOWED = 600
KEY = "[key]"  # how pydantic marks that a map's key is wrong, not its value
NAMES = re.compile(r"\^\[a-z0-9\]\[a-z0-9\._-\]\{0,(\d+)\}\$")
PATTERNS = {
    r"^tcp://[A-Za-z0-9.*\-]+:\d{1,5}$": "an address tcp://HOST:PORT",
    r"^([A-Za-z0-9.\-]+|\*)$": "the name or IPv4 address of a host, or '*'",
    r"^(auto|cpu|cuda(:\d+)?)$": "auto, cpu, cuda or cuda:N",
}


class Spot(NamedTuple):
    """A type with all that is said of it: what a value must be."""

    type: Any
    metadata: tuple[Any, ...] = ()

    @property
    def arms(self) -> dict[str, Spot]:
        """Members of a union by their tags; empty where it is none."""
        if not _is_union(self.type):
            return {}
        members = [_opened(each, ()) for each in get_args(self.type)]
        return {_tag(each): each for each in members}

    @property
    def model(self) -> type[BaseModel] | None:
        """The model, where it is one."""
        is_model = isinstance(self.type, type) and issubclass(self.type, BaseModel)
        return self.type if is_model else None


class Place:
    """Where an error is: the path as the user wrote it, and what is expected there."""

    def __init__(self, model: type[BaseModel], location: Sequence[int | str], content: Any) -> None:
        self.shown: list[str] = []
        self.spot: Spot | None = Spot(model)
        self.union: Spot | None = None  # whose member the model here is
        self.tag = ""
        self.of_key = False
        self._keys: Spot | None = None  # what the keys of the map around the place must be
        self.secret = False
        self.content: Any = content  # of the place
        self.around: Any = None  # the content that holds it
        for part in location:
            self._follow(part)

    def _follow(self, part: int | str) -> None:
        spot = self.spot
        if spot is not None and part in spot.arms:
            self.union, self.tag, self.spot = spot, str(part), spot.arms[str(part)]
            return
        if part == KEY:
            self.of_key, self.spot = True, self._keys
            return
        inner = None if spot is None else self._inside(spot, part)
        in_model = spot is not None and spot.model is not None
        if inner is None and not in_model and not _holds(self.content, part):
            return  # a name of pydantic's own, as that of a validator
        self.union = None
        self.shown.append(_key(part))
        self.around, self.content = self.content, _inside_content(self.content, part)
        self.spot = inner

    def _inside(self, spot: Spot, part: int | str) -> Spot | None:
        """What is expected at a key or index of this place."""
        if spot.model is not None:
            field = spot.model.model_fields.get(str(part))
            if field is None:
                return None
            self.secret |= not field.repr
            return _of_field(field)
        origin, arguments = get_origin(spot.type), get_args(spot.type)
        if isinstance(origin, type) and arguments:
            if issubclass(origin, Mapping):
                self._keys = _opened(arguments[0], ())
                return _opened(arguments[-1], ())
            if isinstance(part, int) and issubclass(origin, Sequence):
                fixed = origin is tuple and Ellipsis not in arguments
                index = part if fixed and part < len(arguments) else 0
                return _opened(arguments[index], ())
        return None

    @property
    def path(self) -> str:
        """The keys to it, joined by points."""
        return bounded(".".join(self.shown), MAX_PATH) or "settings"


def describe(error: ValidationError, model: type[BaseModel], content: Any = None) -> str:
    """Return one line for the first error of a validation, and how many more there are.

    An unknown key goes before others: where a key is misspelt, another one seems to be missing.
    """
    errors = error.errors(include_url=False, include_context=False)
    first = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    text = _one(first, model, content)
    return text if len(errors) == 1 else f"{text} (and {len(errors) - 1} more)"


def converted(given: Any, taken: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Find values that pydantic has made of another kind: a number of `true` or of a text.

    Yields:
        The path, what was expected there, and what was given.
    """
    inner: Iterable[tuple[Any, Any, Any]] = ()
    if isinstance(given, Mapping) and isinstance(taken, BaseModel):
        inner = ((key, given[key], getattr(taken, str(key), None)) for key in given)
    elif isinstance(given, Mapping) and isinstance(taken, Mapping):
        inner = ((key, given[key], taken.get(key)) for key in given)
    elif isinstance(given, list | tuple) and isinstance(taken, list | tuple):
        inner = zip(range(len(given)), given, taken, strict=False)
    elif isinstance(taken, bool | int | float):
        is_same = isinstance(given, bool) == isinstance(taken, bool)
        if not is_same or not isinstance(given, bool | int | float):
            kinds = {bool: "true or false", int: "a whole number", float: "a number"}
            yield path or "settings", kinds[type(taken)], given
    for key, below, made in inner:
        yield from converted(below, made, f"{path}.{_key(key)}" if path else _key(key))


def quoted(value: object) -> str:
    """Return a value as YAML would have it, in one bounded line."""
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
        return "a number of thousands of digits"


def bounded(text: str, most: int) -> str:
    """Return a text, cut with an ellipsis where it is longer than `most`."""
    return text if len(text) <= most else f"{text[:most]}..."


def near(word: str, known: Sequence[str]) -> str:
    """Return ` (did you mean X?)` for the known word that is nearest; nothing if none is near."""
    found = difflib.get_close_matches(word[:MAX_QUOTED], known, n=1, cutoff=0.65)
    return f" (did you mean {found[0]}?)" if found else ""


def _one(error: ErrorDetails, model: type[BaseModel], content: Any) -> str:
    kind, location, given = error["type"], error["loc"], error["input"]
    if kind == "extra_forbidden":
        return _unknown_key(Place(model, location[:-1], content), str(location[-1]))
    place = Place(model, location, content)
    if kind == "missing":
        return f"{place.path}: missing; it must be {_allowed(place)}"
    if kind == "value_error":
        reason = error["msg"].removeprefix("Value error, ")
        return f"{place.path}: {reason}" if place.shown else reason
    got = "" if place.secret else f", got {quoted(given)}"
    if kind in ("union_tag_invalid", "union_tag_not_found") and place.spot is not None:
        return _no_member(place, given)
    if place.of_key:
        *rest, key = place.shown
        return f"{'.'.join(rest) or 'settings'}: the key {key} must be {_allowed(place)}"
    hint = ""
    if kind == "literal_error" and place.spot is not None:
        hint = near(str(given), [str(each) for each in get_args(place.spot.type)])
    return f"{place.path}: must be {_allowed(place)}{got}{hint}"


def _unknown_key(place: Place, key: str) -> str:
    """A key that no model has here, or another member of the union."""
    if place.secret:  # a secret may have been written in place of a key
        key = "(not shown)"
    path = ".".join([*place.shown, _key(key)])
    model = None if place.spot is None else place.spot.model
    known = sorted(model.model_fields) if model is not None else []
    union = place.union
    others = [] if union is None else [t for t, arm in union.arms.items() if _has(arm, key)]
    if union is not None and others:
        chooser = _chooser(union)
        given = isinstance(place.content, dict) and chooser in place.content
        missing = "" if given else f", and {chooser} is missing (without it: {place.tag})"
        return (
            f"{bounded(path, MAX_PATH)}: has no effect with {chooser}: {place.tag}; "
            f"it belongs to {chooser}: {' or '.join(others)}{missing}"
        )
    allowed = bounded(", ".join(known), MAX_ALLOWED)
    return f"{bounded(path, MAX_PATH)}: unknown key{near(key, known)}; allowed: {allowed}"


def _no_member(place: Place, given: Any) -> str:
    """A map that is none of a union's."""
    assert place.spot is not None
    chooser, tags = _chooser(place.spot), list(place.spot.arms)
    if not chooser or not isinstance(given, dict):
        got = "" if place.secret else f", got {quoted(given)}"
        return f"{place.path}: must be {_allowed(place)}{got}"
    path, allowed = ".".join([*place.shown, chooser]), _one_of(tags)
    if chooser not in given:
        return f"{path}: missing; it must be {allowed}"
    found = given[chooser]
    return f"{path}: must be {allowed}, got {quoted(found)}{near(str(found), tags)}"


def _allowed(place: Place) -> str:
    """What a value of this place must be."""
    return bounded(_words(place.spot), MAX_ALLOWED) if place.spot is not None else "something else"


def _words(spot: Spot) -> str:
    """What a value of a type must be, in words."""
    kind, arguments = spot.type, get_args(spot.type)
    origin = get_origin(kind) or kind
    if _is_union(kind):
        return _words_of_union(spot)
    if origin is Literal:
        return _one_of([quoted(a) if isinstance(a, bool) else str(a) for a in arguments])
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
        return f"a map{_size(spot)}, each {_words(_opened(arguments[-1], ()))}"
    if isinstance(origin, type) and issubclass(origin, Sequence) and arguments:
        fixed = origin is tuple and Ellipsis not in arguments
        size = f" of {len(arguments)}" if fixed else _size(spot)
        return f"a list{size}, each {_words(_opened(arguments[0], ()))}"
    return getattr(kind, "__name__", "a value").lower()


def _words_of_union(spot: Spot) -> str:
    chooser, arms = _chooser(spot), spot.arms
    if chooser:
        return f"a map with {chooser}: {', '.join(arms)}"
    return ", or ".join(_words(arm) for arm in arms.values())


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
        return f"a text{_size(spot, 'characters')}"
    (pattern,) = patterns[:1]
    name = NAMES.fullmatch(pattern)
    if name is not None:
        most = int(name[1]) + 1
        return (
            f"a name: up to {most} of a-z, 0-9, '.', '_' and '-', beginning with a letter or digit"
        )
    return PATTERNS.get(pattern, f"a text that matches {pattern}")


def _size(spot: Spot, of: str = "") -> str:
    """How many entries or characters it has."""
    fewest = next((m.min_length for m in spot.metadata if hasattr(m, "min_length")), 0)
    most = next((m.max_length for m in spot.metadata if hasattr(m, "max_length")), None)
    if most is None:
        return f" of {fewest} or more {of}".rstrip() if fewest else ""
    return f" of {fewest} to {most:,} {of}".rstrip()


def _one_of(values: Sequence[str]) -> str:
    return values[0] if len(values) == 1 else f"one of {', '.join(values)}"


def _of_field(field: FieldInfo) -> Spot:
    return _opened(field.annotation, tuple(field.metadata))


def _opened(annotation: Any, metadata: tuple[Any, ...]) -> Spot:
    """A type without what is wrapped around it, as it is written: not `Annotated`, not optional."""
    while True:
        for each in metadata:
            if isinstance(each, ReadAs):
                annotation, metadata = each.written, ()
        members = get_args(annotation)
        if get_origin(annotation) is Annotated:
            annotation = members[0]
            metadata = (*metadata, *(part for each in members[1:] for part in _flat(each)))
        elif _is_union(annotation) and type(None) in members:
            rest = tuple(each for each in members if each is not type(None))
            annotation = rest[0] if len(rest) == 1 else Union[rest]  # noqa: UP007 - made here
        elif not any(isinstance(each, ReadAs) for each in metadata):
            return Spot(annotation, metadata)


def _flat(metadata: Any) -> tuple[Any, ...]:
    """What is said of a type, one by one; `Field(...)` says several things."""
    return tuple(metadata.metadata) if isinstance(metadata, FieldInfo) else (metadata,)


def _is_union(kind: Any) -> bool:
    return get_origin(kind) in (Union, UnionType)


def _tag(member: Spot) -> str:
    """What pydantic calls a member of a union in a location."""
    for each in member.metadata:
        if isinstance(each, Tag):
            return each.tag
    field = None if member.model is None else _chooser_of(member.model)
    if member.model is not None and field is not None:
        return str(get_args(member.model.model_fields[field].annotation)[0])
    return str(member.type)


def _chooser(union: Spot) -> str:
    """The key that says which member of a union is meant; nothing where none does."""
    fields = {_chooser_of(arm.model) for arm in union.arms.values() if arm.model is not None}
    every = all(arm.model is not None for arm in union.arms.values())
    found = fields.pop() if every and len(fields) == 1 else None
    return found or ""


def _chooser_of(model: type[BaseModel]) -> str | None:
    """The first field that has one value alone."""
    for name, field in model.model_fields.items():
        if get_origin(field.annotation) is Literal and len(get_args(field.annotation)) == 1:
            return name
    return None


def _has(arm: Spot, key: str) -> bool:
    return arm.model is not None and key in arm.model.model_fields


def _holds(content: Any, part: int | str) -> bool:
    if isinstance(content, Mapping):
        return part in content
    return isinstance(part, int) and isinstance(content, Sequence)


def _inside_content(content: Any, part: int | str) -> Any:
    if isinstance(content, Mapping):
        return content.get(part)
    is_index = isinstance(part, int) and isinstance(content, list | tuple)
    return content[part] if is_index and 0 <= part < len(content) else None  # type: ignore[operator]


def _key(part: int | str) -> str:
    """A key or an index as the user wrote it, quoted where it would not be plain."""
    text = str(part)
    return text if re.fullmatch(r"[\w.\-]{1,64}", text, re.ASCII) else bounded(ascii(text), 64)
