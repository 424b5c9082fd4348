"""Titles of systems in reports, by what manifests call them."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from semcom.families import our_families

PAPER_TITLES = {
    "rkd-sc": "RKD-SC",
    "cat-student": "CAT-student",
    "jscc-student": "JSCC-student",
    "jscc-teacher": "JSCC-teacher",
    "label": "Label",
}


def system_title(system: str, labels: Mapping[str, str]) -> str:
    """Return what a system is called in a report."""
    return labels.get(system, titles().get(system, system))


@cache
def titles() -> dict[str, str]:
    """Return the titles of known systems, in the order of reports."""
    return {system: title for family in known_systems() for system, title in family.items()}


@cache
def known_systems() -> list[Mapping[str, str]]:
    """Return titles of the paper's systems, then those of each family that has others."""
    return [PAPER_TITLES, *(each.systems for each in our_families() if each.systems)]
