"""What a link can be changed to, for the status."""

from __future__ import annotations

from typing import Any, get_args

from orchestrator.plan.catalog import Catalog
from semcom.errors import CheckpointError
from semcom.points import SNR_MAX_DB, SNR_MIN_DB, ChannelModel


def choices(catalog: Catalog) -> dict[str, Any]:
    """Channel models, bounds of the SNR, and the codecs whose manifest can be read."""
    codecs = []
    for name in catalog.names():
        try:
            manifest = catalog.open(name).manifest
        except CheckpointError:
            continue
        codecs.append({"name": name, "dataset": manifest.dataset, "system": manifest.system})
    return {
        "models": list(get_args(ChannelModel)),
        "snr_bounds_db": [SNR_MIN_DB, SNR_MAX_DB],
        "codecs": codecs,
    }
