"""Fixtures for all tests."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.datasets.prepare import prepare
from tests.left_out import CLUSTERED, COMPOSED, left_out
from tests.properties import register_profiles
from tests.surroundings import answer_ctrl_c, keep_bytecode, settle

REPO = Path(__file__).resolve().parents[1]
register_profiles()
settle()
keep_bytecode()
answer_ctrl_c()


def pytest_collection_finish() -> None:
    """Have the garbage collector pass over what is there as long as this process: the tests."""
    gc.freeze()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Say what was left out, and how to have it."""
    lines = left_out(terminalreporter.stats.get("skipped", []))
    if not config.option.file_or_dir and "not compose" in config.option.markexpr:
        lines += [COMPOSED, CLUSTERED]
    if lines:
        terminalreporter.section("left out here")
        for line in lines:
            terminalreporter.line(line)


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the shipped codecs and freshly drawn test images (nothing trains on them)."""
    folder = tmp_path_factory.mktemp("workplace")
    codecs = Path(os.environ.get("SEMCOM_TEST_CODECS", REPO / "codecs"))
    (folder / "codecs").symlink_to(codecs)
    for name in ("shapes10", "shapes100"):
        prepare(name, root=folder / "data" / name, source=None, train_images=1)
    return folder
