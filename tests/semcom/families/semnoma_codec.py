"""A codec of the family `semnoma` with random weights, on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from orchestrator.training.semnoma.export import halves
from orchestrator.training.semnoma.link import SlotLink
from receiver.semnoma.refinement import make_refiner
from semcom.checkpoints import Checkpoint, weight_files, write_codec
from semcom.codec_manifest import FamilyManifest
from semcom.families.semnoma import SemnomaCodecArchitecture
from semcom.tasks.reconstruction import Reconstruction

SMALL: dict[str, Any] = {"item": (12, 12, 3), "widths": (8, 16), "blocks": (1, 1)}
DIFFUSION: dict[str, Any] = {
    "kind": "diffusion",
    "unet": {"width": 8},
    "starts": [
        {"snr_db": 0.0, "step": 40},
        {"snr_db": 10.0, "step": 5},
        {"snr_db": 20.0, "step": 0},
    ],
}
CGAN: dict[str, Any] = {"kind": "cgan", "unet": {"width": 8}}


def make_codec(folder: Path, **changes: Any) -> Checkpoint:
    """Write a codec; `changes` are of its architecture."""
    architecture = SemnomaCodecArchitecture(**{**SMALL, **changes})
    torch.manual_seed(3)
    link = SlotLink(architecture, users=architecture.users)
    refiner = None
    if architecture.refinement is not None:
        refiner = make_refiner(architecture.refinement)
        for layer in (m for m in refiner.modules() if isinstance(m, torch.nn.Conv2d)):
            torch.nn.init.normal_(layer.weight, std=0.05)  # those that begin as zeros, too
    contents = halves(link, refiner)
    return write_codec(folder, manifest_of(architecture, contents, folder.name), contents)


def manifest_of(
    architecture: SemnomaCodecArchitecture, contents: Any, name: str, **changes: Any
) -> FamilyManifest:
    """What is written beside the files of both ends."""
    fields = {
        "name": name, "family": "semnoma", "system": "semnoma", "dataset": "own",
        "task": Reconstruction(shape=architecture.item), "symbols": architecture.symbols,
        "needs_snr": True, "links": architecture.users,
        "architecture": architecture.stated(),
        "weights": weight_files(contents), **changes,
    }  # fmt: skip
    return FamilyManifest.model_validate(fields)
