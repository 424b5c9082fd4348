"""Channel models of packages, found by the entry-point group `rkd_sc.channels`.

A model is a pydantic class with the fields `csi` and `equalizer` and the methods `draw`, `apply`
and `csi_of`: `channel_sim.models.model.ChannelModel` is the base class of ours. A model is loaded
only when a scenario names it.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pydantic import BaseModel, ValidationError

from semcom.errors import ConfigurationError, one_line
from semcom.points import OWN_MODELS, PluginChannel
from semcom.settings_words import converted, describe, near
from semcom.type_words import quoted

GROUP = "rkd_sc.channels"
METHODS = ("draw", "apply", "csi_of")
FIELDS = ("csi", "equalizer")
RESERVED = ("model", "settings")  # keys of the record that names the model


def installed() -> list[str]:
    """Return the names of all models: ours, then those of packages."""
    return [*OWN_MODELS, *sorted(_entries().keys() - set(OWN_MODELS))]


@lru_cache(maxsize=256)
def model_class(name: str) -> type[BaseModel]:
    """Load the settings class of a package's model.

    Raises:
        ConfigurationError: it is not installed, cannot be loaded, or is not a channel model.
    """
    entry = _entries().get(name)
    if entry is None:
        known = installed()
        raise ConfigurationError(
            f"no channel model {quoted(name)} is installed{near(name, known)}; available: "
            f"{', '.join(known)}; packages add others under the entry-point group {GROUP}"
        )
    try:
        found = entry.load()
    except Exception as error:  # importing a package may raise anything
        why = one_line(f"{type(error).__name__}: {error}")
        raise ConfigurationError(
            f"channel model {name} ({entry.value}) cannot be loaded: {why}"
        ) from error
    lacks = _lacks(found)
    if lacks:
        raise ConfigurationError(f"channel model {name} ({entry.value}) {lacks}")
    model: type[BaseModel] = found
    return model


def channel_of(model: str, settings: Mapping[str, Any]) -> PluginChannel:
    """Return the record of a channel from a user's settings.

    Raises:
        ConfigurationError: no such model.
        ValidationError: settings that its class refuses.
        ValueError: values of the wrong kind, or too many of them.
    """
    read = model_class(model).model_validate(dict(settings))
    for path, expected, given in converted(settings, read):
        raise ValueError(f"{path}: must be {expected}, got {quoted(given)}")
    # Defaults are omitted, so a field that is added to a model later changes no digest.
    return PluginChannel(model=model, settings=read.model_dump(mode="json", exclude_defaults=True))


@lru_cache(maxsize=1024)
def loaded(channel: PluginChannel) -> Any:
    """Return the model of a record, ready to draw.

    Raises:
        ConfigurationError: it is not installed here, or has no such settings.
    """
    model = model_class(channel.model)
    try:
        return model.model_validate(channel.settings)
    except ValidationError as error:
        why = describe(error, model, channel.settings)
        raise ConfigurationError(f"channel model {channel.model}: {why}") from error


@lru_cache(maxsize=1)
def _entries() -> dict[str, EntryPoint]:
    """Return the entry points by name; the last of the same name wins."""
    return {entry.name: entry for entry in entry_points(group=GROUP)}


def _lacks(found: Any) -> str:
    """Return why an object is not a model; an empty string if it is one."""
    if not (isinstance(found, type) and issubclass(found, BaseModel)):
        return "is not a pydantic model"
    missing = [name for name in METHODS if not callable(getattr(found, name, None))]
    missing += [name for name in FIELDS if name not in found.model_fields]
    taken = [name for name in RESERVED if name in found.model_fields]
    if taken:
        return f"has a field {taken[0]}; that name is already taken"
    if missing or inspect.isabstract(found):
        return f"lacks {', '.join(missing) or ', '.join(sorted(found.__abstractmethods__))}"
    return ""
