"""The other parts of an evaluation, which lie beside a part's own folder, and how they round.

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
    """Return a line if a part beside `folder` was computed by a host that rounds otherwise.

    The first part is looked at that says how it rounds; nothing is returned where none does.
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
    """Return who computed a part, as its manifest says; None where it does not, or is damaged."""
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
