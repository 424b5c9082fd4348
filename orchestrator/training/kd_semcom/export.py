"""From a trained link to a codec of sentences on disk, with its results on the test split."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.numpy import save as format_safetensors

from orchestrator.training.kd_semcom.pipeline import TrainedText
from orchestrator.training.measured_codec import write_measured
from orchestrator.training.reference import evaluate_points
from semcom.checkpoints import Checkpoint, weight_files, write_codec
from semcom.codec_arrays import End
from semcom.codec_manifest import FamilyManifest
from semcom.families.kd_semcom import KD_SEMCOM
from semcom.nn.weights import to_arrays
from semcom.points import ChannelSettings, PointSpec
from semcom.row_quantization import quantize
from semcom.tasks.text import Text
from semcom.text_shards import TextShard

CHECK_SNR_DB = (0.0, 6.0, 12.0, 18.0)
CHECKED = 1_000  # sentences
FRAME = 50
Report = Callable[[int, int], None]


def export_codec(
    trained: TrainedText, folder: Path, *, command: str, ranks: int, bf16: bool, report: Report
) -> Checkpoint:
    """Write both ends, evaluate what was written, and record it.

    `command` and the number of `ranks` repeat the training. `report` is called with (done, total)
    before each of the evaluations and at the end.
    """
    settings, sentences = trained.settings, trained.sentences.manifest.sentences
    assert sentences is not None
    contents = _contents(trained)
    counts = settings.architecture.counted()
    architecture = settings.architecture.model_copy(update={"parameters": counts})
    fields: dict[str, Any] = {
        "name": settings.name,
        "family": KD_SEMCOM.name,
        "system": settings.system,
        "dataset": settings.dataset,
        "task": Text(
            vocabulary=sentences.vocabulary,
            vocabulary_sha256=sentences.vocabulary_sha256,
            longest=architecture.tokens,
        ),
        "symbols": architecture.symbols,
        "variable_length": True,
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


def measure(checkpoint: Checkpoint, dataset_dir: Path, report: Report) -> dict[str, Any]:
    """Return BLEU-1 on the first test sentences, without noise and over Rayleigh fading."""
    shard = TextShard(dataset_dir, "test")
    channel = ChannelSettings(model="rayleigh")
    points = [None, *(PointSpec(snr_db=snr_db, channel=channel) for snr_db in CHECK_SNR_DB)]
    values: list[float] = []
    report(0, len(points))
    for found in evaluate_points(
        checkpoint, shard, points, link="text", images=CHECKED, frame_images=FRAME
    ):
        values.append(found.value)
        report(len(values), len(points))
    at = zip(CHECK_SNR_DB, values[1:], strict=True)
    return {
        "test_sentences": min(CHECKED, len(shard)),
        "noise_free_bleu_1": values[0],
        "rayleigh_bleu_1_by_snr_db": {f"{snr_db:g}": value for snr_db, value in at},
    }


def _contents(trained: TrainedText) -> dict[End, bytes]:
    link = trained.link.cpu()
    is_int8 = trained.settings.architecture.precision == "int8"
    ends: Iterator[tuple[End, Any]] = iter(
        (("transmitter", link.transmitter), ("receiver", link.receiver))
    )
    contents: dict[End, bytes] = {}
    for end, half in ends:
        arrays = to_arrays(half.modules)
        contents[end] = format_safetensors(quantize(arrays) if is_int8 else arrays)
    return contents


def _provenance(trained: TrainedText, *, command: str, bf16: bool) -> dict[str, Any]:
    settings = trained.settings
    return {
        "command": command,
        "dataset_sha256": trained.sentences.digest,
        "dataset_source": trained.sentences.manifest.source,
        "training_sentences": len(trained.sentences),
        "seed": settings.seed,
        "precision": "bf16" if bf16 else "fp32",
        "dropout": settings.dropout,
        "distillation": settings.distillation.model_dump(mode="json"),
        **{f"{stage}_codec": codec.digest for stage, codec in trained.given.items()},
        **({"init_from": trained.initial.digest} if trained.initial is not None else {}),
        "stages": {
            name: {
                **settings.stages[name].model_dump(mode="json"),
                "channel": settings.channels[name].model_dump(mode="json"),
                "artefact": made.digest[:12],
            }
            for name, made in trained.stages.items()
        },
        "torch": torch.__version__,
        "python": platform.python_version(),
    }
