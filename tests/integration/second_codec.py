"""A codec like a shipped one, with a digest and answers of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np

from semcom.checkpoints import open_checkpoint, write_checkpoint


def make_second(codecs: Path, *, of: str) -> None:
    """Make `second` beside the codec `of`: one weight differs."""
    folder = codecs / "second"
    shutil.copytree(codecs / of, folder)
    checkpoint = open_checkpoint(folder)
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
