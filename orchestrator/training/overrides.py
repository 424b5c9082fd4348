"""Settings that override a preset."""

from __future__ import annotations

from typing import Any

from semcom.errors import ConfigurationError


def laid_over(base: dict[str, Any], overrides: dict[str, Any]) -> dict[str, Any]:
    """Return nested settings with `overrides` applied, key by key.

    Raises:
        ConfigurationError: a group of settings is replaced by a value.
    """
    merged = dict(base)
    for key, value in overrides.items():
        inner = merged.get(key)
        if isinstance(inner, dict):
            if not isinstance(value, dict):
                raise ConfigurationError(f"settings: {key}: a group of settings, got {value!r}")
            merged[key] = laid_over(_of_kind(inner, value.get("kind")), value)
        else:
            merged[key] = value
    return merged


def _of_kind(encoder: dict[str, Any], kind: str | None) -> dict[str, Any]:
    """Return the settings of an encoder that remain if another kind of encoder overrides them."""
    if kind is None or encoder.get("kind") == kind:
        return encoder
    return {name: encoder[name] for name in ("input", "feature_dim") if name in encoder}
