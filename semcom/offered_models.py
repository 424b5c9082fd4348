"""Settings of each installed channel model, as needed for forms."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from semcom.channel_choice import own_class
from semcom.channel_models import installed, model_class
from semcom.errors import ConfigurationError
from semcom.points import OWN_MODELS

BOUNDS = {
    "minimum": "least",
    "maximum": "most",
    "exclusiveMinimum": "least",
    "exclusiveMaximum": "most",
}


@lru_cache(maxsize=1)
def offered_models() -> dict[str, list[dict[str, Any]]]:
    """Return the settings of every model that can be loaded, by its name.

    Each setting has its `key`, `kind` (number, whole number, choice, flag or text), `values` of a
    choice, `least` and `most` if it is bounded, `default` (None without one) and `means`.
    """
    found = {}
    for name in installed():
        try:
            model = own_class(name) if name in OWN_MODELS else model_class(name)
            properties = model.model_json_schema()["properties"]
        except (ConfigurationError, ValueError, KeyError):  # a broken package
            continue
        found[name] = [_setting(k, field) for k, field in properties.items() if k != "model"]
    return found


def _setting(key: str, field: dict[str, Any]) -> dict[str, Any]:
    kinds = [each for each in field.get("anyOf", [field]) if each.get("type") != "null"]
    schema = kinds[0] if kinds else {}
    setting = {
        "key": key,
        "kind": _kind(schema),
        "default": field.get("default"),
        "means": field.get("description", ""),
    }
    if setting["kind"] == "choice":
        setting["values"] = schema.get("enum", [schema.get("const")])
    return setting | {word: schema[name] for name, word in BOUNDS.items() if name in schema}


def _kind(schema: dict[str, Any]) -> str:
    if "enum" in schema or "const" in schema:
        return "choice"
    kinds = {"number": "number", "integer": "whole number", "boolean": "flag"}
    return kinds.get(str(schema.get("type")), "text")
