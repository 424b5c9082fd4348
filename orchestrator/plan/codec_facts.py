"""Facts about a codec for reports, from its manifest and the shapes of its weights (no torch)."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from math import isfinite, prod
from typing import Any

from orchestrator.plan.catalog import Catalog
from orchestrator.plan.plan import Plan
from semcom.checkpoints import Checkpoint
from semcom.codec_arrays import End
from semcom.codec_manifest import AnyManifest, FamilyManifest
from semcom.settings import Settings
from semcom.tasks.registry import AnyTask
from semcom.tasks.task import Task

PARTS = ("encoder", "channel_encoder", "decoder", "head")
ENDS: tuple[End, End] = ("transmitter", "receiver")
# What a manifest tells of a training that a second one with another seed does not share.
OF_A_RUN = frozenset(
    {"seed", "command", "torch", "python", "teacher_accuracy", "stages", "ranks", "construction"}
)
# State that torch stores beside parameters: the running statistics of batch norms.
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class CodecFacts(Settings):
    """One codec: rates, sizes, and the teacher it learnt from.

    `compression_ratio` is 0 for a system that sends the feature itself. `parameters` counts each
    part of PARTS by itself. Codecs of other families than the paper's have none of its figures, and
    parts of their own. What has a default is None in manifests of earlier versions.

    `source_values` are the numbers of an item that the encoder sees (n of k/n), `noise_free` is the
    main metric of the task without noise, as the codec's manifest states it, and `trained_as` is a
    digest of all of its training but the seed.
    """

    name: str
    digest: str
    dataset: str
    system: str
    family: str | None = None
    compression_ratio: float | None = None
    feature_dim: int | None = None
    codeword_dim: int | None = None
    symbols: int
    parameters: dict[str, int]
    teacher_parameters: int | None = None
    classes: int | None = None
    task: AnyTask | None = None
    source_values: int | None = None
    noise_free: float | None = None
    trained_as: str | None = None
    training_seed: int | None = None

    @property
    def bandwidth_ratio(self) -> float | None:
        """Return k/n: complex symbols per number of an item; None where n is not told."""
        return None if self.source_values is None else self.symbols / self.source_values


def transmitter_parameters(parameters: Mapping[str, int]) -> int:
    """Of the parts that a transmitter holds: semantic encoder and channel encoder."""
    return sum(parameters.get(part, 0) for part in ("encoder", "channel_encoder"))


def codec_facts(checkpoint: Checkpoint) -> CodecFacts:
    """The facts of one codec, under the name that its catalogue gives it.

    Raises:
        CheckpointError: its weights are missing or damaged.
    """
    manifest = checkpoint.manifest
    common = {
        "name": checkpoint.folder.name,
        "digest": manifest.digest,
        "dataset": manifest.dataset,
        "system": manifest.system,
        "symbols": manifest.symbols,
        "task": manifest.task,
        "source_values": _source_values(manifest),
        "noise_free": _noise_free(manifest),
        **_training(manifest),
    }
    if isinstance(manifest, FamilyManifest):
        checkpoint.verify()
        counted = manifest.architecture.get("parameters", {})
        return CodecFacts(parameters=counted, family=manifest.family_name, **common)
    channel = manifest.architecture.channel
    parameters = dict.fromkeys(PARTS, 0)
    for end in ENDS:
        for name, array in checkpoint.read_weights(end).items():
            part = name.partition(".")[0]
            if part in parameters and not name.endswith(STATISTICS):
                parameters[part] += array.size
    teacher = manifest.training.get("teacher_parameters")
    return CodecFacts(
        family=manifest.family.name,
        compression_ratio=0.0 if channel.is_direct else channel.compression_ratio,
        feature_dim=channel.feature_dim,
        codeword_dim=channel.codeword_dim,
        parameters=parameters,
        teacher_parameters=teacher if isinstance(teacher, int) else None,
        classes=manifest.architecture.classes,
        **common,
    )


def _source_values(manifest: AnyManifest) -> int | None:
    """Return height x width x channels of an image; None of other items, and where none is told."""
    if isinstance(manifest, FamilyManifest):
        item = manifest.architecture.get("item")
        is_image = isinstance(item, list) and all(type(each) is int for each in item)
        return prod(item) if is_image and item else None
    return prod(manifest.architecture.image)


def _noise_free(manifest: AnyManifest) -> float | None:
    stated = manifest.results.get(f"noise_free_{manifest.task.METRICS[0].name}")
    return float(stated) if isinstance(stated, float | int) and isfinite(stated) else None


def _training(manifest: AnyManifest) -> dict[str, str | int]:
    """Return digest and seed of a training; nothing where the manifest tells no seed."""
    seed = manifest.training.get("seed")
    if type(seed) is not int:
        return {}
    told = _without_runs(manifest.training)
    shape = manifest.model_dump(mode="json")["architecture"]
    text = json.dumps([manifest.system, shape, told], sort_keys=True)
    return {"trained_as": hashlib.sha256(text.encode()).hexdigest()[:16], "training_seed": seed}


def _without_runs(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a training, without what differs from seed to seed."""
    told = {key: value for key, value in training.items() if key not in OF_A_RUN}
    stages = training.get("stages")
    if isinstance(stages, dict):
        told["stages"] = {
            name: {key: value for key, value in stage.items() if key != "artefact"}
            for name, stage in stages.items()
            if isinstance(stage, dict)
        }
    return told


def tasks_of(codecs: Iterable[CodecFacts]) -> dict[str, Task]:
    """The task of each codec, by its digest, as far as is known."""
    return {codec.digest: codec.task for codec in codecs if codec.task is not None}


def facts_of_plan(plan: Plan, catalog: Catalog) -> list[CodecFacts]:
    """The facts of every codec of a plan, each once, in the order of the plan."""
    names = dict.fromkeys(codec.name for link in plan.links.values() for codec in link.codecs)
    return [codec_facts(catalog.open(name)) for name in names]
