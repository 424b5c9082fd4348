"""A codec of the family `semnoma` with random weights, on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from orchestrator.training.semnoma.export import halves
from orchestrator.training.semnoma.link import SlotLink
from semcom.checkpoints import Checkpoint, weight_files, write_codec
from semcom.codec_manifest import FamilyManifest
from semcom.families.semnoma import SemnomaArchitecture
from semcom.tasks.reconstruction import Reconstruction

SMALL: dict[str, Any] = {"item": (12, 12, 3), "widths": (8, 16), "blocks": (1, 1)}


def make_codec(folder: Path, **changes: Any) -> Checkpoint:
    """Write a codec; `changes` are of its architecture."""
    architecture = SemnomaArchitecture(**{**SMALL, **changes})
    torch.manual_seed(3)
    link = SlotLink(architecture, users=architecture.users)
    contents = halves(link)
    return write_codec(folder, manifest_of(architecture, contents, folder.name), contents)


def manifest_of(
    architecture: SemnomaArchitecture, contents: Any, name: str, **changes: Any
) -> FamilyManifest:
    """What is written beside the files of both ends."""
    fields = {
        "name": name, "family": "semnoma", "system": "semnoma", "dataset": "own",
        "task": Reconstruction(shape=architecture.item), "symbols": architecture.symbols,
        "needs_snr": True, "architecture": architecture.model_dump(mode="json"),
        "weights": weight_files(contents), **changes,
    }  # fmt: skip
    return FamilyManifest.model_validate(fields)
