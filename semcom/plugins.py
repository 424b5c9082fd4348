"""Objects of installed packages by entry-point group and name, imported when first used."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from semcom.errors import ConfigurationError


def plugin(group: str, name: str, ours: Mapping[str, str]) -> Any | None:
    """Return the object of a name; None if it is unknown.

    Args:
        group: group of entry points, such as `rkd_sc.families`.
        name: name in a manifest or a scenario.
        ours: built-in objects, as `module:attribute`; packages cannot replace them.

    Raises:
        ConfigurationError: the package that provides the name cannot be imported.
    """
    if name in ours:
        return named(ours[name])
    entry = _others(group).get(name)
    if entry is None:
        return None
    try:
        return entry.load()
    except Exception as error:  # a foreign module may raise anything
        package = "a package" if entry.dist is None else entry.dist.name
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ConfigurationError(
            f"'{name}' of {group}, from {package}, cannot be imported: {reason}"
        ) from error


def named(place: str) -> Any:
    """Return the object that `module:attribute` names."""
    module, _, attribute = place.partition(":")
    return getattr(import_module(module), attribute)


def installed(group: str, ours: Mapping[str, str]) -> list[str]:
    """Return all names of a group, built-in ones first, the others in alphabetical order."""
    return [*ours, *sorted(_others(group).keys() - ours.keys())]


@cache
def _others(group: str) -> dict[str, EntryPoint]:
    return {entry.name: entry for entry in entry_points(group=group)}
