"""A codec like a shipped one, with a digest and answers of its own."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np

from semcom.checkpoints import (
    Checkpoint,
    open_checkpoint,
    weight_files,
    write_checkpoint,
    write_codec,
)
from semcom.codec_manifest import FamilyManifest


def make_second(codecs: Path, *, of: str) -> None:
    """Make `second` beside the codec `of`: one weight differs."""
    folder = codecs / "second"
    shutil.copytree(codecs / of, folder)
    checkpoint = open_checkpoint(folder)
    if isinstance(checkpoint.manifest, FamilyManifest):
        _brighten(folder, checkpoint)
        return
    receiver = dict(checkpoint.read_weights("receiver"))
    bias = receiver["head.linear.bias"]
    receiver["head.linear.bias"] = bias + 20 * np.eye(len(bias), dtype=bias.dtype)[3]
    write_checkpoint(
        folder,
        name="second",
        dataset=checkpoint.manifest.dataset,
        architecture=checkpoint.manifest.architecture,
        weights={"transmitter": checkpoint.read_weights("transmitter"), "receiver": receiver},
        training={},
        results={},
    )


def _brighten(folder: Path, checkpoint: Checkpoint) -> None:
    """Of a codec of examples/own_family: its images come back with more contrast."""
    contents = {end: checkpoint.read_half(end) for end in ("transmitter", "receiver")}
    amplitude = json.loads(contents["receiver"])["amplitude"]
    contents["receiver"] = json.dumps({"amplitude": 1.5 * amplitude}).encode()
    changes = {"name": "second", "weights": weight_files(contents)}
    write_codec(folder, checkpoint.manifest.model_copy(update=changes), contents)
