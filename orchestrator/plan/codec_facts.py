"""What reports tell of a codec, read from its manifest and the shapes of its weights (no torch)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestrator.plan.catalog import Catalog
from orchestrator.plan.plan import Plan
from semcom.checkpoints import Checkpoint
from semcom.codec_arrays import End
from semcom.settings import Settings
from semcom.tasks.classification import Classification
from semcom.tasks.registry import AnyTask
from semcom.tasks.task import Task

PARTS = ("encoder", "channel_encoder", "decoder", "head")
ENDS: tuple[End, End] = ("transmitter", "receiver")
# State that torch stores beside parameters: the running statistics of batch norms.
STATISTICS = ("running_mean", "running_var", "num_batches_tracked")


class CodecFacts(Settings):
    """One codec: rates, sizes, and the teacher it learnt from.

    `compression_ratio` is 0 for a system that sends the feature itself. `parameters` counts each
    part of PARTS by itself. `classes` and `task` are None in manifests of earlier versions.
    """

    name: str
    digest: str
    dataset: str
    system: str
    compression_ratio: float
    feature_dim: int
    codeword_dim: int
    symbols: int
    parameters: dict[str, int]
    teacher_parameters: int | None = None
    classes: int | None = None
    task: AnyTask | None = None


def transmitter_parameters(parameters: Mapping[str, int]) -> int:
    """Of the parts that a transmitter holds: semantic encoder and channel encoder."""
    return sum(parameters.get(part, 0) for part in ("encoder", "channel_encoder"))


def codec_facts(checkpoint: Checkpoint) -> CodecFacts:
    """The facts of one codec, under the name that its catalogue gives it.

    Raises:
        CheckpointError: its weights are missing or damaged.
    """
    manifest = checkpoint.manifest
    channel = manifest.architecture.channel
    parameters = dict.fromkeys(PARTS, 0)
    for end in ENDS:
        for name, array in checkpoint.read_weights(end).items():
            part = name.partition(".")[0]
            if part in parameters and not name.endswith(STATISTICS):
                parameters[part] += array.size
    teacher = manifest.training.get("teacher_parameters")
    return CodecFacts(
        name=checkpoint.folder.name,
        digest=manifest.digest,
        dataset=manifest.dataset,
        system=channel.system,
        compression_ratio=0.0 if channel.is_direct else channel.compression_ratio,
        feature_dim=channel.feature_dim,
        codeword_dim=channel.codeword_dim,
        symbols=channel.symbols,
        parameters=parameters,
        teacher_parameters=teacher if isinstance(teacher, int) else None,
        classes=manifest.task.classes if isinstance(manifest.task, Classification) else None,
        task=manifest.task,
    )


def tasks_of(codecs: Iterable[CodecFacts]) -> dict[str, Task]:
    """The task of each codec, by its digest, as far as is known."""
    return {codec.digest: codec.task for codec in codecs if codec.task is not None}


def facts_of_plan(plan: Plan, catalog: Catalog) -> list[CodecFacts]:
    """The facts of every codec of a plan, each once, in the order of the plan."""
    names = dict.fromkeys(codec.name for link in plan.links.values() for codec in link.codecs)
    return [codec_facts(catalog.open(name)) for name in names]
