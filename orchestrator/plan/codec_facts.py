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
# Fields of a manifest's training that differ between seeds.
OF_A_RUN = frozenset(
    {"seed", "command", "torch", "python", "teacher_accuracy", "stages", "ranks", "construction"}
)
NUMBERS = float, int, bool  # of JSON
STUDENT, TEMPERATURE = (
    "student",
    "temperature",
)  # a stage, and fields that are not weights of its loss
# State that torch stores besides parameters: the running statistics of batch norms.
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class CodecFacts(Settings):
    """One codec: rates, sizes, and its teacher.

    `compression_ratio` is 0 for a system that sends the feature itself. `parameters` counts each
    part of PARTS by itself. Codecs of other families than the paper's have none of its figures, and
    parts of their own. What has a default is None in manifests of earlier versions.

    `source_values` are the numbers of an item that the encoder sees (n of k/n), `noise_free` is the
    main metric of the task without noise, as the codec's manifest states it, and `trained_as` is a
    digest of all of its training but the seed. Of codecs that follow a teacher by several terms,
    `loss_terms` are the weights of those that have one, and `trained_beside` is a digest of all of
    its training but them. `init_from` is the digest of the codec from which a training began, such
    as the one that a refinement refines. `side_bits` tell how many symbols of an item are sent, in
    codecs whose items differ in that.
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
    side_bits: int | None = None
    loss_terms: dict[str, float] | None = None
    trained_beside: str | None = None
    init_from: str | None = None

    @property
    def bandwidth_ratio(self) -> float | None:
        """Return k/n: complex symbols per number of an item; None if n is unknown."""
        return None if self.source_values is None else self.symbols / self.source_values


def transmitter_parameters(parameters: Mapping[str, int]) -> int:
    """Return the parameters of the transmitter's parts: semantic encoder and channel encoder."""
    return sum(parameters.get(part, 0) for part in ("encoder", "channel_encoder"))


def codec_facts(checkpoint: Checkpoint) -> CodecFacts:
    """Return the facts about one codec, under its name in the catalogue.

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
        "side_bits": _side_bits(manifest),
        "init_from": _init_from(manifest),
        **_training(manifest),
        **_ablation(manifest),
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
    """Return height x width x channels of an image; None for other items, and if it is unknown."""
    if isinstance(manifest, FamilyManifest):
        item = manifest.architecture.get("item")
        is_image = isinstance(item, list) and all(type(each) is int for each in item)
        return prod(item) if is_image and item else None
    return prod(manifest.architecture.image)


def _side_bits(manifest: AnyManifest) -> int | None:
    """Return the bits of a number of symbols, 0 to K; None if every item has K."""
    if isinstance(manifest, FamilyManifest) and manifest.variable_length:
        return manifest.symbols.bit_length()
    return None


def _init_from(manifest: AnyManifest) -> str | None:
    stated = manifest.training.get("init_from")
    digest = stated.get("digest") if isinstance(stated, dict) else None
    return digest if isinstance(digest, str) else None


def _noise_free(manifest: AnyManifest) -> float | None:
    stated = manifest.results.get(f"noise_free_{manifest.task.METRICS[0].name}")
    return float(stated) if isinstance(stated, float | int) and isfinite(stated) else None


def _training(manifest: AnyManifest) -> dict[str, str | int]:
    """Return digest and seed of a training; nothing if the manifest has no seed."""
    seed = manifest.training.get("seed")
    if type(seed) is not int:
        return {}
    told = _without_runs(manifest.training)
    shape = manifest.model_dump(mode="json")["architecture"]
    text = json.dumps([manifest.system, shape, told], sort_keys=True)
    return {"trained_as": hashlib.sha256(text.encode()).hexdigest()[:16], "training_seed": seed}


def _ablation(manifest: AnyManifest) -> dict[str, Any]:
    """Return the loss terms of a student and a digest of the rest; nothing for other codecs."""
    terms, stages = manifest.training.get("distillation"), manifest.training.get("stages")
    if not isinstance(terms, dict) or not isinstance(stages, dict) or STUDENT not in stages:
        return {}
    weights = {key: float(value) for key, value in terms.items() if type(value) in NUMBERS}
    weights.pop(TEMPERATURE, None)
    rest = {key: value for key, value in terms.items() if key not in weights}
    told = _without_runs(manifest.training) | {"distillation": rest}
    shape = manifest.model_dump(mode="json")["architecture"]
    seed = manifest.training.get("seed")
    text = json.dumps([manifest.system, shape, seed, told], sort_keys=True)
    return {
        "loss_terms": {key: weight for key, weight in weights.items() if weight},
        "trained_beside": hashlib.sha256(text.encode()).hexdigest()[:16],
    }


def _without_runs(training: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a training without those that differ between seeds."""
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
    """Return the known tasks of codecs by digest."""
    return {codec.digest: codec.task for codec in codecs if codec.task is not None}


def facts_of_plan(plan: Plan, catalog: Catalog) -> list[CodecFacts]:
    """Return the facts about every codec of a plan, each once, in order."""
    names = dict.fromkeys(codec.name for link in plan.links.values() for codec in link.codecs)
    return [codec_facts(catalog.open(name)) for name in names]
