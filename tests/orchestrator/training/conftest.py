"""Fixtures of the training tests."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from orchestrator.datasets.prepare import prepare


@pytest.fixture(scope="package")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A handful of drawn images."""
    folder = tmp_path_factory.mktemp("data")
    prepare("shapes10", root=folder / "shapes10", source=None, train_images=512, test_images=50)
    return folder


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Small networks are faster, and sums come in one order, on one thread."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
