"""The rounding of the other parts of an evaluation, next to a part's own folder.

Only manifests are read: another host may be writing the ledgers.
"""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from orchestrator.evaluation.part_choice import FOLDER
from orchestrator.results.origins import rounds_otherwise
from orchestrator.results.run_folder import read_run_manifest
from semcom.errors import SemcomError
from semcom.fingerprint import Fingerprint, Origin, differences


def notice_of_siblings(folder: Path, own: Origin) -> str:
    """Return a line if a part next to `folder` was computed by a host that rounds differently.

    The first part that states its rounding is compared; None if none does.
    """
    for sibling in sorted(folder.absolute().parent.glob("part-*")):
        if sibling.name == folder.name or not FOLDER.fullmatch(sibling.name):
            continue
        found = _origin_of(sibling)
        if found is not None:
            differing = differences(own.fingerprint, found.fingerprint)
            return rounds_otherwise(own, found, differing) if differing else ""
    return ""


def _origin_of(folder: Path) -> Origin | None:
    """Return the origin of a part from its manifest; None if it is missing or damaged."""
    try:
        manifest = read_run_manifest(folder) or {}
        stated = manifest["computed_by"][0]
        return Origin(
            host=stated["host"],
            processor=stated["processor"],
            part=stated.get("part"),
            fingerprint=Fingerprint.model_validate(manifest["fingerprints"][stated["fingerprint"]]),
        )
    except (SemcomError, ValidationError, LookupError, TypeError):
        return None
