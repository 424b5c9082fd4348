"""A folder with a codec for two links that meet, whose family is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.harness import REPO

FAMILY = Path(__file__).with_name("pair_family.py")


def make_pair(codec: Path, site: Path) -> None:
    """Write a codec, and `site`, which in PYTHONPATH is an installed package with the family."""
    info = site / "pair_family-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pair-family\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[rkd_sc.families]\npair = pair_family:PAIR\n")
    (site / "pair_family.py").write_text(FAMILY.read_text())
    subprocess.run(
        [sys.executable, str(site / "pair_family.py"), str(codec)],
        check=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPO), str(site)])},
    )


@contextmanager
def place_of_pair(folder: Path, workplace: Path) -> Iterator[Path]:
    """Fill a folder with drawn images and such a codec, its family installed meanwhile."""
    (folder / "data").symlink_to(workplace / "data")
    make_pair(folder / "codecs" / "pair", folder / "site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder / "site"))
        yield folder
