"""What a training would refuse is refused before it is queued."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.jobs.settings_check import check_arguments
from orchestrator.training import check_process
from semcom.errors import ProcessFailedError
from tests.orchestrator.codecs import write_images


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A folder with a small data set."""
    write_images(tmp_path / "data" / "tiny")
    return tmp_path / "data"


def test_good_settings_pass_and_nothing_is_written(data: Path, tmp_path: Path) -> None:
    words = ["tiny", "--data", str(data), "--preset", "smoke", "--work", str(tmp_path / "work")]
    assert check_process.main(words) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "stages.stage1.epochs=many"], "stages.stage1.epochs: must be"),
        (["--set", "stages.stage9.epochs=1"], "stage9"),
        (["--preset", "none"], "none"),
    ],
)
def test_wrong_settings_are_one_line_with_the_code_of_the_training(
    words: list[str], said: str, data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check_process.main(["tiny", "--data", str(data), *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_mistake_of_the_command_line_comes_back_from_the_process(data: Path) -> None:
    with pytest.raises(ProcessFailedError, match=r"^argument --until: invalid choice") as caught:
        check_arguments(["tiny", "--data", str(data), "--until", "tomorrow"])
    assert caught.value.exit_code == 2
