"""Choices for a link's channel and codec, for the status."""

from __future__ import annotations

from typing import Any

from orchestrator.plan.catalog import Catalog
from semcom.errors import CheckpointError
from semcom.offered_models import offered_models
from semcom.points import SNR_MAX_DB, SNR_MIN_DB


def choices(catalog: Catalog) -> dict[str, Any]:
    """Channel models and their settings, bounds of the SNR, and codecs for one link."""
    codecs = []
    for name in catalog.all_names():
        try:
            manifest = catalog.open(name).manifest
        except CheckpointError:
            continue
        if manifest.links > 1:
            continue  # those of a group cannot change
        codecs.append({"name": name, "dataset": manifest.dataset, "system": manifest.system})
    offered = offered_models()
    return {
        "models": list(offered),
        "model_settings": offered,
        "snr_bounds_db": [SNR_MIN_DB, SNR_MAX_DB],
        "codecs": codecs,
    }
