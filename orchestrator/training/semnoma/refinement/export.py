"""Export of a codec with a trained refinement: chooses its starts and measures its images."""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from orchestrator.training.measured_codec import write_measured
from orchestrator.training.semnoma.evaluation import load_link
from orchestrator.training.semnoma.export import measure
from orchestrator.training.semnoma.refinement.criteria import criterion_of
from orchestrator.training.semnoma.refinement.pipeline import RefinementTrained
from orchestrator.training.semnoma.refinement.presets import architecture_of
from orchestrator.training.semnoma.refinement.starts import choose_starts
from receiver.semnoma.refinement import DiffusionRefiner
from semcom.checkpoints import Checkpoint, weight_files, write_codec
from semcom.codec_arrays import Arrays, End, format_arrays, parse_arrays
from semcom.codec_manifest import FamilyManifest
from semcom.families.semnoma_refinement import (
    DiffusionRefinement,
    GanRefinement,
    Start,
)
from semcom.nn.weights import load_arrays, to_arrays
from semcom.settings import validate
from semcom.shards import Shard

TEST_IMAGES = 200  # for a manifest's results: refining takes most of the time
Report = Callable[[int, int], None]


def export_refined(
    trained: RefinementTrained,
    folder: Path,
    *,
    command: str,
    ranks: int,
    bf16: bool,
    report: Report,
) -> Checkpoint:
    """Write the codec with its refinement, evaluate what was written, and record it.

    The transmitter's file and the decoders' weights are those of the codec, byte for byte.
    """
    settings, codec = trained.settings, trained.codec
    assert isinstance(codec.manifest, FamilyManifest)
    arrays = to_arrays({"refiner.unet": trained.stage.exported.cpu()})
    refinement, chosen = _refinement(trained, arrays, report)
    architecture = architecture_of(codec).model_copy(update={"refinement": refinement})
    decoders = parse_arrays(codec.read_half("receiver"))
    contents: dict[End, bytes] = {
        "transmitter": codec.read_half("transmitter"),
        "receiver": format_arrays({**decoders, **arrays}),
    }
    record = {"command": command, "ranks": ranks, "precision": "bf16" if bf16 else "fp32"}
    manifest = validate(
        FamilyManifest,
        {
            **codec.manifest.model_dump(mode="json", by_alias=True),
            "name": settings.name,
            "system": f"{codec.manifest.system}-{settings.stage}",
            "architecture": architecture.stated(),
            "weights": weight_files(contents),
            "training": {**record, **_provenance(trained), **chosen},
            "results": {},
        },
        where=f"codec {settings.name}",
    )
    return write_measured(
        folder,
        settings,
        write=lambda at, found: write_codec(
            at, manifest.model_copy(update={"results": found}), contents
        ),
        measure=lambda written: _results(written, trained, report),
    )


def _refinement(
    trained: RefinementTrained, arrays: Arrays, report: Report
) -> tuple[DiffusionRefinement | GanRefinement, dict[str, Any]]:
    """Return the manifest's entry, with the choice of starts, for the exported weights."""
    settings, architecture = trained.settings, architecture_of(trained.codec)
    if settings.stage == "cgan":
        return GanRefinement(unet=settings.unet, snr_db=architecture.snr_db), {}
    unknown = (Start(snr_db=0.0, step=0),)
    refinement = DiffusionRefinement(
        unet=settings.unet, starts=unknown, ddim_steps=settings.diffusion.ddim_steps
    )
    refiner = DiffusionRefiner(refinement).eval()
    load_arrays({"refiner": refiner}, arrays)
    refiner.to(memory_format=torch.channels_last)
    held_out = trained.held_out
    members_M = held_out.members_M[: settings.diffusion.chosen_on]
    starts, means = choose_starts(
        refiner,
        load_link(trained.codec, users=architecture.users),
        held_out.images_NSS3[members_M].numpy(),
        settings=settings.diffusion,
        by=(criterion_of(settings.diffusion.criterion, settings.data_dir), settings.channels),
        report=report,
    )
    chosen = {
        "criterion": settings.diffusion.criterion,
        "images": len(members_M),
        "mean_by_snr_db_and_start": means,
    }
    return refinement.model_copy(update={"starts": starts}), {"starts": chosen}


def _results(written: Checkpoint, trained: RefinementTrained, report: Report) -> dict[str, Any]:
    """Return the mean PSNR in dB on test images after and before the refinement."""
    users = max(2, architecture_of(written).users)
    shard = Shard(trained.settings.dataset_dir, "test")
    images = np.array(shard.images_NHWC[:TEST_IMAGES])
    before = measure(trained.codec, images, users, report)
    after = measure(written, images, users, report)
    name = "psnr_db_by_channel_and_snr_db"
    return {**after, f"unrefined_{name}": before[name]}


def _provenance(trained: RefinementTrained) -> dict[str, Any]:
    settings, codec = trained.settings, trained.codec
    own = settings.diffusion if settings.stage == "diffusion" else settings.cgan
    return {
        "dataset_sha256": trained.images.digest,
        "dataset_source": trained.images.manifest.source,
        "training_images": len(trained.images),
        "seed": settings.seed,
        "augmentation": settings.augmentation.model_dump(mode="json"),
        "channels": list(settings.channels),
        "parameters": {"unet": sum(p.numel() for p in trained.stage.exported.parameters())},
        settings.stage: own.model_dump(mode="json"),
        "stages": {
            settings.stage: settings.stages[settings.stage].model_dump(mode="json")
            | {
                "artefact": trained.made.digest[:12],
                **{f"validation_{name}": value for name, value in trained.validated.items()},
            }
        },
        "init_from": {
            "name": codec.manifest.name,
            "digest": codec.digest,
            "training": codec.manifest.training,
            "results": codec.manifest.results,
        },
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
