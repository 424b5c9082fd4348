"""What a benchmark leaves behind, and how its targets are judged."""

from __future__ import annotations

import pytest

from orchestrator.bench.figures import Figures, Target, machine, read_figures, target_table
from orchestrator.bench.plot import PLOT, write_plot
from semcom.errors import ConfigurationError, StorageError

FASTER = Target(claim="faster", column="ratio", bound=2.0)
SOONER = Target(claim="sooner", column="ms", bound=0.5, at_least=False)


def figures_of(*ratios: float, name: str = "some", **changes: object) -> Figures:
    rounds = [{"ratio": ratio, "ms": 1 / ratio} for ratio in ratios]
    return Figures(
        name=name, title="Some", rounds=rounds, targets=[FASTER, SOONER], facts=machine(), **changes
    )


def test_what_is_written_is_read_again(tmp_path):
    written = [figures_of(2.0, 2.5, name="a"), figures_of(4.0, name="b", rows_are_cases=True)]
    for figures in written:
        figures.write(tmp_path)
    assert read_figures(tmp_path) == written


def test_median_of_the_rounds_is_what_counts():
    (header, *rows) = [row[1:] for row in target_table([figures_of(1.0, 3.0, 2.2, 9.0, 0.1)]).rows]
    assert header == ["≥ 2", "2.2", "0.1 to 9", "5", "met"]
    assert rows == [["≤ 0.5", "0.455", "0.111 to 10", "5", "met"]]
    missed = target_table([figures_of(1.9, 1.9, 99.0)]).rows
    assert [row[-1] for row in missed] == ["missed", "missed"]


def test_table_has_median_least_and_greatest_of_every_column():
    table = figures_of(1.0, 2.0, 4.0).table()
    assert table.head == ["", "median", "min", "max"]
    assert table.rows[0] == ["ratio", "2", "1", "4"]
    assert "cores:" in table.note


def test_table_of_cases_has_a_row_for_each():
    table = figures_of(1.0, 2000.0, rows_are_cases=True).table()
    assert table.head == ["ratio", "ms"]
    assert table.rows == [["1", "1"], ["2,000", "0.0005"]]


def test_picture_of_the_targets_is_drawn(tmp_path):
    assert write_plot([figures_of(1.0, 3.0, 2.2)], tmp_path) == tmp_path / PLOT
    assert (tmp_path / PLOT).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("content", [None, "", "{}", '{"name": "a"}', "[1]"])
def test_folder_without_benchmarks_says_what_to_run(tmp_path, content):
    if content is not None:
        (tmp_path / "a.json").write_text(content)
        (tmp_path / "a.csv").write_text("ratio\n1\n")
    with pytest.raises(ConfigurationError, match=r"semcom bench|not a benchmark"):
        read_figures(tmp_path)


def test_folder_that_cannot_be_written_is_an_error_of_ours(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        figures_of(1.0).write(tmp_path / "file")
