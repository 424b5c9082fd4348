"""Writes codecs that give images back, under the names of those that classify.

    python -m tests.reconstructing FOLDER

With SEMCOM_TEST_CODECS=FOLDER the tests of faults run on reconstruction: `make faults` does both.
The family is that of examples/own_family, which must be installed.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from thumbnail import make_codec  # of examples/own_family

from orchestrator.datasets.prepare import prepare
from semcom.shards import Shard

NAMES = ("shapes10", "shapes100", "shapes200")
BLOCK = 4  # pixels a side that become one: 96 symbols an image of 32 x 32


def write(folder: Path) -> None:
    """Write a codec for each drawn data set."""
    with tempfile.TemporaryDirectory() as drawn:
        for name in NAMES:
            root = Path(drawn) / name
            prepare(name, root=root, source=None, train_images=1)
            make_codec(folder / name, Shard(root, "test").images_NHWC, block=BLOCK)


if __name__ == "__main__":
    write(Path(sys.argv[1]))
