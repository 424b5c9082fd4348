"""Find families by name: built-in ones and those of installed packages."""

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
    "digital": "semcom.families.digital:DIGITAL",
    "vit": "semcom.families.vit:VIT",
    "label": "semcom.families.label:LABEL",
}


@cache
def family_of(name: str) -> Family:
    """Return a family by its name.

    Raises:
        CheckpointError: it is not installed; the message names the entry-point group for families.
        ConfigurationError: the package that provides it cannot be imported.
    """
    found = plugin(GROUP, name, OURS)
    if found is None:
        raise CheckpointError(
            f"no codec family '{name[:64]}' is installed; available: "
            f"{', '.join(installed(GROUP, OURS))}; install the package that provides it under the "
            f"entry-point group {GROUP}"
        )
    if not isinstance(found, Family):
        raise CheckpointError(f"entry point {name} of {GROUP} is not a codec family")
    return found


def our_families() -> list[Family]:
    """Return the built-in families."""
    return [family_of(name) for name in OURS]


def all_families() -> list[Family]:
    """Return all families, ours first, in the order of tables."""
    return [family_of(name) for name in installed(GROUP, OURS)]
