"""A folder with runs and the data sets that judge them."""

from __future__ import annotations

import pytest

from tests.orchestrator.judged import (
    copied,
    without_seals,
    write_judged_run,
    write_labelled,
)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A data set, and three runs on it: as it is written today, without seals, and of before."""
    root = tmp_path_factory.mktemp("judged")
    write_labelled(root / "data")
    write_judged_run(root / "run", root / "data")
    without_seals(copied(root / "run", root / "unsealed"))
    return root
