"""Find the shipped codecs and scenarios, in an installation or a checkout."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

DISTRIBUTION = "rkd-sc"
PACKAGE = Path(__file__).resolve().parent
SCENARIOS_HERE = Path("scenarios")


def shipped(kind: Literal["codecs", "scenarios"]) -> Path:
    """Return a folder of shipped files: inside this package if installed by pip (setup.py).

    In a checkout and in container images, it is next to the package. It may be missing: an image
    contains only what its process reads.
    """
    installed = PACKAGE / kind
    return installed if installed.is_dir() else PACKAGE.parent / kind


def scenario_file(named: Path) -> Path:
    """Return a scenario's file: the named one, otherwise the shipped one of that name.

    `demo`, `demo.yaml` and `scenarios/demo.yaml` name a shipped one if there is no such file.
    """
    if named.exists() or named.parent not in (Path(), SCENARIOS_HERE):
        return named
    found = shipped("scenarios") / f"{named.name.removesuffix('.yaml')}.yaml"
    return found if found.is_file() else named


def installed_version() -> str | None:
    """Return the version that pip has installed, or None."""
    try:
        return version(DISTRIBUTION)
    except PackageNotFoundError:
        return None
