"""Describe errors in settings: the key as it was written, the value, and what is allowed.

pydantic's messages name its types and the members of its unions, which users never see. Here an
error's location is followed through the models and the given content.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from semcom.type_words import Spot, bounded, chooser, of_field, one_of, opened, quoted, words_of

MAX_PATH = 200
MAX_ALLOWED = 600
MAX_WORD = 120
KEY = "[key]"  # pydantic's mark for an error in a map's key rather than its value


class Place:
    """Place of an error: the path as the user wrote it, and what is expected there."""

    def __init__(self, model: type[BaseModel], location: Sequence[int | str], content: Any) -> None:
        self.shown: list[str] = []
        self.spot: Spot | None = Spot(model)
        self.union: Spot | None = None  # union to which the model here belongs
        self.tag = ""
        self.of_key = False
        self._keys: Spot | None = None  # requirement for the keys of the surrounding map
        self.secret = False
        self.content: Any = content  # of the place
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
            return  # a name of pydantic, such as that of a validator
        self.union = None
        self.shown.append(_key(part))
        self.content = _inside_content(self.content, part)
        self.spot = None if inner is None else inner.of(self.content)

    def _inside(self, spot: Spot, part: int | str) -> Spot | None:
        """Return what is expected at a key or index of this place."""
        if spot.model is not None:
            field = spot.model.model_fields.get(str(part))
            if field is None:
                return None
            self.secret |= not field.repr
            return of_field(field)
        origin, arguments = get_origin(spot.type), get_args(spot.type)
        if isinstance(origin, type) and arguments:
            if issubclass(origin, Mapping):
                self._keys = opened(arguments[0], ())
                return opened(arguments[-1], ())
            if isinstance(part, int) and issubclass(origin, Sequence):
                fixed = origin is tuple and Ellipsis not in arguments
                index = part if fixed and part < len(arguments) else 0
                return opened(arguments[index], ())
        return None

    @property
    def path(self) -> str:
        """Its keys, joined by dots."""
        return bounded(".".join(self.shown), MAX_PATH) or "settings"


def describe(error: ValidationError, model: type[BaseModel], content: Any = None) -> str:
    """Return one line for the first error of a validation, with the number of further ones.

    Unknown keys come first: if a key is misspelt, another one seems to be missing.
    """
    errors = error.errors(include_url=False, include_context=False)
    first = min(errors, key=lambda each: each["type"] != "extra_forbidden")
    text = _one(first, model, content)
    return text if len(errors) == 1 else f"{text} (and {len(errors) - 1} more)"


def converted(given: Any, taken: Any, path: str = "") -> Iterator[tuple[str, str, Any]]:
    """Find values that pydantic converted from another type, such as a number from `true` or text.

    Yields:
        The path, the expected type, and the given value.
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


def near(word: str, known: Sequence[str]) -> str:
    """Return ` (did you mean X?)` for the nearest known word; empty if none is near."""
    found = difflib.get_close_matches(word[:MAX_WORD], known, n=1, cutoff=0.65)
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
    """Describe an unknown key, or one of another member of the union."""
    if place.secret:  # a secret may have been written in place of a key
        key = "(not shown)"
    path = ".".join([*place.shown, _key(key)])
    model = None if place.spot is None else place.spot.model
    known = sorted(model.model_fields) if model is not None else []
    union = place.union
    others = [] if union is None else [t for t, arm in union.arms.items() if _has(arm, key)]
    if union is not None and others:
        key_of_kind = chooser(union)
        given = isinstance(place.content, dict) and key_of_kind in place.content
        missing = "" if given else f", and {key_of_kind} is missing (without it: {place.tag})"
        return (
            f"{bounded(path, MAX_PATH)}: has no effect with {key_of_kind}: {place.tag}; "
            f"it belongs to {key_of_kind}: {' or '.join(others)}{missing}"
        )
    allowed = bounded(", ".join(known), MAX_ALLOWED)
    return f"{bounded(path, MAX_PATH)}: unknown key{near(key, known)}; allowed: {allowed}"


def _no_member(place: Place, given: Any) -> str:
    """Describe a map that matches no member of a union."""
    assert place.spot is not None
    key_of_kind, tags = chooser(place.spot), list(place.spot.arms)
    if not key_of_kind or not isinstance(given, dict):
        got = "" if place.secret else f", got {quoted(given)}"
        return f"{place.path}: must be {_allowed(place)}{got}"
    path, allowed = ".".join([*place.shown, key_of_kind]), one_of(tags)
    if key_of_kind not in given:
        return f"{path}: missing; it must be {allowed}"
    found = given[key_of_kind]
    return f"{path}: must be {allowed}, got {quoted(found)}{near(str(found), tags)}"


def _allowed(place: Place) -> str:
    """Return what a value at this place must be."""
    return (
        bounded(words_of(place.spot), MAX_ALLOWED) if place.spot is not None else "something else"
    )


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
    """Return a key or an index as the user wrote it, quoted if necessary."""
    text = str(part)
    return text if re.fullmatch(r"[\w.\-]{1,64}", text, re.ASCII) else bounded(ascii(text), 64)
