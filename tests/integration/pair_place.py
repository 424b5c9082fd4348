"""A folder with codecs for two superposed links and for one, whose family is installed."""

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


def make_pair(codecs: Path, site: Path) -> None:
    """Write codecs, and `site`, which in PYTHONPATH is an installed package with the family."""
    info = site / "pair_family-0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: pair-family\nVersion: 0\n")
    (info / "entry_points.txt").write_text("[rkd_sc.families]\npair = pair_family:PAIR\n")
    (site / "pair_family.py").write_text(FAMILY.read_text())
    for name, links in (("pair", 2), ("single", 1)):
        subprocess.run(
            [sys.executable, str(site / "pair_family.py"), str(codecs / name), str(links)],
            check=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(REPO), str(site)])},
        )


@contextmanager
def place_of_pair(folder: Path, workplace: Path) -> Iterator[Path]:
    """Fill a folder with drawn images and such codecs, their family installed meanwhile."""
    (folder / "data").symlink_to(workplace / "data")
    make_pair(folder / "codecs", folder / "site")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(folder / "site"))
        yield folder
