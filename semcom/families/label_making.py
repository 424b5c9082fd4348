"""Build a codec of the family `label` from one of the paper's (no training, no torch)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from semcom.architecture import CodecArchitecture
from semcom.checkpoints import Checkpoint, weight_files, write_codec
from semcom.codec_arrays import Arrays, End, format_arrays
from semcom.codec_manifest import FamilyManifest
from semcom.construction import construction_of
from semcom.errors import CheckpointError
from semcom.families.label import CLASSIFIER, CODE, NOISE_FREE_DB, STAGES, LabelArchitecture
from semcom.families.label_code import LabelCode, dimensions, label_code
from semcom.files import is_there
from semcom.tasks.classification import Classification

SYSTEM = "label"
OWN_CONSTRUCTION = {
    "classifier": (
        "head(feature) of the source's decoder on the codeword as it would be sent, without noise: "
        "per stage x = linear(block([x, code])), code being the SNR code of 30 dB; then linear"
    ),
    "code": "what is sent is the row of code.reals of the class, adjacent reals being I and Q",
    "receiver": "the class m with the largest 2 Re sum conj(h_k c_mk) z_k - sum |h_k c_mk|^2",
}
SNR_SCALE_DB = 20.0  # as semcom.nn.blocks.SnrCode
KEPT = ("test_images", "noise_free_")  # names, or prefixes of names, of the source's results


def make_label_codec(
    source: Checkpoint, folder: Path, *, code: LabelCode | None = None, symbols: int | None = None
) -> Checkpoint:
    """Write the label codec of a codec into its own folder.

    Args:
        source: a codec of `rkd` or `jscc`; it classifies.
        folder: target; its name is the codec's.
        code: None: simplex if it fits, otherwise biorthogonal.
        symbols: K; None: as many as the source sends.

    Raises:
        CheckpointError: the source is of another family or damaged, or the folder already contains
            a codec.
        ConfigurationError: there are too few symbols for the classes.
        StorageError: the disk is full or cannot be written.
    """
    architecture = source.architecture
    if is_there(folder / "manifest.json"):
        raise CheckpointError(
            f"{folder} already holds a codec; remove it first, or choose another name"
        )
    sent = architecture.channel.symbols if symbols is None else symbols
    if code is None:
        fits = dimensions("simplex", architecture.classes) <= 2 * sent
        code = "simplex" if fits else "biorthogonal"
    reals = label_code(code, classes=architecture.classes, symbols=sent)
    first = source.read_weights("transmitter")
    classifier = _classifier(architecture, source.read_weights("receiver"))
    arrays: dict[End, Arrays] = {
        "transmitter": {**first, **classifier, CODE: reals},
        "receiver": {CODE: reals},
    }
    contents = {end: format_arrays(held) for end, held in arrays.items()}
    counted = {"encoder": 0, "channel_encoder": 0}
    for name, array in {**first, **classifier}.items():
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked")):
            part = "encoder" if name.startswith("encoder.") else "channel_encoder"
            counted[part] += array.size
    stated = LabelArchitecture(
        source=architecture,
        code=code,
        symbols=sent,
        item=architecture.image,
        parameters=counted,
    ).model_dump(mode="json")
    manifest = FamilyManifest(
        family="label",
        name=folder.name,
        system=SYSTEM,
        dataset=source.manifest.dataset,
        classes=source.manifest.classes,
        task=Classification(classes=architecture.classes),
        symbols=sent,
        architecture=stated,
        weights=weight_files(contents),
        training={
            "made_of": source.folder.name,
            "made_of_digest": source.digest,
            "construction": {**construction_of(architecture), **OWN_CONSTRUCTION},
        },
        results=_results(source.manifest.results),
    )
    return write_codec(folder, manifest, contents)


def _classifier(architecture: CodecArchitecture, decoder: Arrays) -> Arrays:
    """Return the source's decoder and head without noise; SNR codes are constants."""
    arrays: Arrays = {}
    stages = () if architecture.channel.is_direct else STAGES
    for number, (snr_code, block, linear) in enumerate(stages):
        name = f"{CLASSIFIER}stages.{number}"
        weight, bias = (
            decoder[f"decoder.{snr_code}.linear.{part}"].astype(np.float64)
            for part in ("weight", "bias")
        )
        told = weight[:, 0] * (NOISE_FREE_DB / SNR_SCALE_DB) + bias
        arrays[f"{name}.code"] = (1.0 / (1.0 + np.exp(-told))).astype(np.float32)
        for part, there in (("block", f"decoder.{block}."), ("linear", f"decoder.{linear}.")):
            for key in [each for each in decoder if each.startswith(there)]:
                arrays[f"{name}.{part}.{key.removeprefix(there)}"] = decoder[key]
    for part in ("weight", "bias"):
        arrays[f"{CLASSIFIER}linear.{part}"] = decoder[f"head.linear.{part}"]
    return arrays


def _results(results: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in results.items() if name.startswith(KEPT)}
