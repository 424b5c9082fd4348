"""From a trained link of the family `vit` to a codec on disk, with what it reaches."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from orchestrator.training.export import measure
from orchestrator.training.measured_codec import write_measured
from orchestrator.training.vit.pipeline import SETTINGS, STAGE, TrainedVit
from semcom.checkpoints import Checkpoint, weight_files, write_codec
from semcom.codec_arrays import End, format_arrays
from semcom.codec_manifest import FamilyManifest
from semcom.families.vit import VIT
from semcom.nn.weights import to_arrays
from semcom.tasks.classification import Classification

CONSTRUCTION = {
    "layer": "x = x + attention(norm1(x)); [x = x + cross(norm2(x), memory)]; "
    "x = x + down(gelu(up(norm(x)))); softmax(q k / sqrt(width / heads)) per head; gelu exact",
    "encoder": "convolution of patches, row by row; class token first and sinusoidal positions, or "
    "learnt positions; layers; norm",
    "indices": "linear(class token) as 10 vectors of 16; nearest row of the codebook; a byte each",
    "qam": "bits of a byte, the highest first, in pairs (sign, inner): levels 1 and 3, Gray; a "
    "codeword is scaled to unit power; the receiver takes the most likely of all codewords",
    "decoder": "widen each codeword [+ sinusoidal positions]; queries through layers with cross "
    "attention, or the tokens themselves through layers; mean; linear",
}


def export_codec(
    trained: TrainedVit,
    folder: Path,
    *,
    command: str,
    ranks: int,
    bf16: bool,
    report: Callable[[int, int], None],
) -> Checkpoint:
    """Write both ends as fp16 safetensors, evaluate what was written, and record it.

    `command` and the number of `ranks` repeat the training. `report` is called before each of the
    evaluations and at the end, as (done, total).
    """
    settings, link = trained.settings, trained.link.cpu()
    stated = settings.architecture
    contents: dict[End, bytes] = {
        "transmitter": format_arrays(to_arrays(link.transmitter.modules)),
        "receiver": format_arrays(to_arrays(link.receiver.modules)),
    }
    architecture = stated.model_copy(update={"parameters": stated.counted()})
    fields: dict[str, Any] = {
        "name": settings.name,
        "family": VIT.name,
        "system": settings.system,
        "dataset": settings.dataset,
        "classes": trained.images.manifest.classes,
        "task": Classification(classes=stated.classes),
        "symbols": stated.symbols,
        "architecture": architecture.model_dump(mode="json"),
        "weights": weight_files(contents),
        "training": _provenance(trained, command=command, bf16=bf16) | {"ranks": ranks},
    }
    return write_measured(
        folder,
        settings,
        write=lambda at, found: write_codec(at, FamilyManifest(**fields, results=found), contents),
        measure=lambda written: measure(written, settings.dataset_dir, report),
    )


def _provenance(trained: TrainedVit, *, command: str, bf16: bool) -> dict[str, Any]:
    settings, made = trained.settings, trained.stages[STAGE]
    dumped = settings.model_dump(mode="json")
    return {
        "command": command,
        "dataset_sha256": trained.images.digest,
        "dataset_source": trained.images.manifest.source,
        "training_images": len(trained.images),
        "seed": settings.seed,
        "precision": "bf16" if bf16 else "fp32",
        "augmentation": dumped["augmentation"],
        "link": {name: dumped[name] for name in SETTINGS},
        "stages": {STAGE: dumped["stages"][STAGE] | {"artefact": made.digest[:12]}},
        "construction": CONSTRUCTION,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
