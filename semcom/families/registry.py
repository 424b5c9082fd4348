"""Finds families by name: our own, and those of installed packages."""

from __future__ import annotations

from functools import cache

from semcom.errors import CheckpointError
from semcom.families.family import Family
from semcom.plugins import installed, plugin

GROUP = "rkd_sc.families"
OURS = {
    "rkd": "semcom.families.paper:RKD",
    "jscc": "semcom.families.paper:JSCC",
    "semnoma": "semcom.families.semnoma:SEMNOMA",
    "torch-export": "semcom.families.exported:TORCH_EXPORT",
    "kd_semcom": "semcom.families.kd_semcom:KD_SEMCOM",
    "label": "semcom.families.label:LABEL",
}


@cache
def family_of(name: str) -> Family:
    """Return a family by its name.

    Raises:
        CheckpointError: it is not installed; the message says which group of entry points gives
            families.
        ConfigurationError: the package that gives it cannot be imported.
    """
    found = plugin(GROUP, name, OURS)
    if found is None:
        raise CheckpointError(
            f"no codec family '{name[:64]}' is installed; there are "
            f"{', '.join(installed(GROUP, OURS))}; install the package that gives it under the "
            f"entry-point group {GROUP}"
        )
    if not isinstance(found, Family):
        raise CheckpointError(f"entry point {name} of {GROUP} is no codec family")
    return found


def all_families() -> list[Family]:
    """Return all families, ours first, in the order of tables."""
    return [family_of(name) for name in installed(GROUP, OURS)]
