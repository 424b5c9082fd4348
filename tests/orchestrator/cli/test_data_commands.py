"""`semcom data prepare`: names and options that cannot be are one line."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchestrator.cli import main as cli
from tests.orchestrator.datasets.test_own_sets import fill


@pytest.fixture
def semcom(tmp_path, monkeypatch, capsys):
    """Runs a command in a folder of its own: exit code, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["semcom", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        assert isinstance(ended.value.code, int)
        return ended.value.code, captured.out, captured.err

    return run


def test_a_set_of_ones_own_is_prepared_kept_and_prepared_again(semcom, tmp_path):
    fill(tmp_path / "from", size=(20, 16))
    words = ("data", "prepare", "mine", "--from", "from", "--size", "12", "--test-share", "0.4")
    code, printed, _ = semcom(*words)
    assert (code, printed.strip()) == (0, "data/mine: 2 classes, 6 train, 4 test images")
    code, kept, _ = semcom("data", "prepare", "mine", "--keep")
    assert (code, kept) == (0, printed)
    assert semcom("data", "prepare", "mine", "--from", "from", "--size", "16")[0] == 0


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("Mine", "--from", "from"), "data set 'Mine' is not a valid name"),
        (("../x", "--from", "from"), "data set '../x' is not a valid name"),
        (("mine",), "make your own from images or sentences with '--from DIR'"),
        (("mine", "--keep"), "make your own from images or sentences with '--from DIR'"),
        (
            ("cifar10", "--size", "32"),
            "--size, --test-share, --tiles, --words, --sentences: only for your own data, not for "
            "cifar10",
        ),
        (("shapes10", "--test-share", "0.1"), "only for your own data, not for shapes10"),
        (("mine", "--from", "from", "--size", "4"), "images have 8 to 1,024 pixels"),
        (
            ("mine", "--size", "32"),
            "make your own from images or sentences with '--from DIR'",
        ),
    ],
)
def test_what_cannot_be_is_one_line_and_exit_code_2(semcom, tmp_path: Path, words, told):
    fill(tmp_path / "from")
    code, _, errors = semcom("data", "prepare", *words)
    assert code == 2
    assert told in errors
    assert len(errors.splitlines()) == 1
    assert not (tmp_path / "data" / "mine").exists()


def test_a_sweep_of_a_set_that_is_missing_says_how_to_make_it(semcom, tmp_path: Path):
    (tmp_path / "s.yaml").write_text(
        "name: s\nlinks: {x: {dataset: mine, codec: shapes10}}\nsnr_db: [0]\n"
    )
    code, _, errors = semcom("sweep", "s.yaml")
    assert code == 2
    assert "make it with: semcom data prepare mine --from DIR" in errors
