"""A report that another process draws is the report."""

from __future__ import annotations

import pytest

from orchestrator.reports.report import write_report
from orchestrator.reports.separate_process import write_report_apart
from semcom.errors import ProcessFailedError
from tests.orchestrator.ledgers import fake_plan, fill_ledger


def test_page_and_pictures_are_the_same(tmp_path):
    run = fill_ledger(tmp_path / "run", fake_plan())
    apart, here = (
        write_report_apart(tmp_path / "apart", [run]),
        write_report(tmp_path / "here", [run]),
    )
    assert apart.read_text(encoding="utf-8") == here.read_text(encoding="utf-8")
    pictures = sorted(path.name for path in here.parent.glob("*.png"))
    assert pictures
    for name in pictures:
        assert (apart.parent / name).read_bytes() == (here.parent / name).read_bytes()


def test_what_was_wrong_is_told(tmp_path):
    with pytest.raises(ProcessFailedError, match=r"no report of .*empty: .*holds no run") as caught:
        write_report_apart(tmp_path / "empty", [tmp_path / "empty"])
    assert caught.value.exit_code == 2
