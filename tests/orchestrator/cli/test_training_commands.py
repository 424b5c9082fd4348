"""`semcom train` and its kin hand their words on, and draw what is drawn."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orchestrator.cli import training_commands as cli_training
from orchestrator.cli.main import app


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What this process would have become."""
    seen: list[list[str]] = []

    def execve(path: str, words: list[str], environment: Mapping[str, str]) -> None:
        seen.append([path, *words])
        kept = "mmap_max=0" in environment.get("GLIBC_TUNABLES", "")
        assert kept == ("orchestrator.training" in words), "the benchmark is what it always was"

    monkeypatch.setattr("os.execve", execve)
    return seen


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, Path]]:
    """The sets that would have been drawn."""
    seen: list[tuple[str, Path]] = []
    monkeypatch.setattr(cli_training, "ensure", lambda name, root: seen.append((name, root)))
    return seen


@pytest.mark.parametrize(
    ("words", "handed_on", "expected"),
    [
        (["train", "--preset", "smoke"], ["--preset", "smoke"], [("shapes10", "data/shapes10")]),
        (["train", "cifar10", "--seed"], ["cifar10", "--seed"], []),
        (
            ["train", "shapes100", "--data", "d", "--nproc", "2"],
            ["shapes100", "--data", "d", "--nproc", "2"],
            [("shapes100", "d/shapes100")],
        ),
        (["train", "--data=d"], ["--data=d"], [("shapes10", "d/shapes10")]),
        (
            ["train", "--name", "shapes100", "--data", "d", "shapes200"],
            ["--name", "shapes100", "--data", "d", "shapes200"],
            [("shapes200", "d/shapes200")],
        ),
        (["train", "--data=d", "--help"], ["--data=d", "--help"], []),
        (["train", "my-own-set"], ["my-own-set"], []),
        (["search", "cifar100"], ["cifar100", "--command", "search"], []),
    ],
)
def test_words_are_handed_on_and_drawn_sets_drawn(
    words: list[str],
    handed_on: list[str],
    expected: list[tuple[str, str]],
    become: list[list[str]],
    drawn: list[tuple[str, Path]],
) -> None:
    assert CliRunner().invoke(app, words).exit_code == 0
    assert become == [
        [sys.executable, sys.executable, "-P", "-m", "orchestrator.training", *handed_on]
    ]
    assert [(name, str(root)) for name, root in drawn] == expected


def test_the_benchmark_runs_in_a_process_of_its_own(become: list[list[str]]) -> None:
    assert CliRunner().invoke(app, ["bench", "training", "cifar10"]).exit_code == 0
    assert become[0][3:] == ["-m", "orchestrator.training.loop_timing", "cifar10"]
