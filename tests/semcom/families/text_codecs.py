"""Small codecs of sentences, with random weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save

from receiver.kd_semcom.codec import SentenceReceiver
from semcom.checkpoints import Checkpoint, weight_files, write_codec
from semcom.codec_manifest import FamilyManifest
from semcom.families.kd_semcom import KdSemcomArchitecture
from semcom.nn.weights import to_arrays
from semcom.row_quantization import quantize
from semcom.tasks.text import Text
from transmitters.kd_semcom.codec import SentenceTransmitter

SMALL = {"layers": 2, "channel": "wide", "vocabulary": 40, "tokens": 10, "width": 32, "heads": 4}


def architecture(**changes) -> KdSemcomArchitecture:
    return KdSemcomArchitecture(**{**SMALL, "inner": 64, **changes})


def halves(made_of: KdSemcomArchitecture, seed: int = 0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        pair = SentenceTransmitter(made_of), SentenceReceiver(made_of)
    for half in pair:
        for module in half.modules.values():
            module.eval().requires_grad_(False)
    return pair


def some_sentences(made_of: KdSemcomArchitecture, count: int, seed: int = 0):
    """Words uint16 (count, tokens - 1) of all lengths."""
    rng = np.random.default_rng(seed)
    longest = made_of.tokens - 1
    words = rng.integers(4, made_of.vocabulary, (count, longest), np.uint16)
    words[np.arange(longest) >= rng.integers(1, longest + 1, count)[:, None]] = 0
    return words


def written(folder: Path, made_of: KdSemcomArchitecture, sha256: str = "0" * 64) -> Checkpoint:
    transmitter, receiver = halves(made_of)
    contents = {}
    for end, half in (("transmitter", transmitter), ("receiver", receiver)):
        arrays = to_arrays(half.modules)
        contents[end] = save(quantize(arrays) if made_of.precision == "int8" else arrays)
    task = Text(vocabulary=made_of.vocabulary, vocabulary_sha256=sha256, longest=made_of.tokens)
    manifest = FamilyManifest(
        name=folder.name, family="kd_semcom", system="student-3", dataset="own", task=task,
        symbols=made_of.symbols, variable_length=True, architecture=made_of.model_dump(mode="json"),
        weights=weight_files(contents),
    )  # fmt: skip
    return write_codec(folder, manifest, contents)
