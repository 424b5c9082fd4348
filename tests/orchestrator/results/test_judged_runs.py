"""Answers that are judged again, and runs of an earlier version."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.cli import main as cli
from orchestrator.results.run_folder import read_run
from orchestrator.results.verify import verify_run
from tests.orchestrator.judged import (
    copied,
    write_labelled,
)

EARLIER = Path(__file__).with_name("earlier")


class TestJudging:
    def test_a_good_run_is_judged_again_link_by_link(self, place):
        found = verify_run(place / "run", place / "data")
        assert (found.judged, found.not_judged) == (("ten", "hundred"), {})
        assert found.sealed

    def test_says_of_each_link_why_it_was_not_judged(self, place, tmp_path):
        write_labelled(tmp_path)
        (tmp_path / "ten" / "dataset.json").unlink()
        labels = tmp_path / "hundred" / "test" / "labels.npy"
        labels.write_bytes(labels.read_bytes()[:-2] + b"\x01\x00")
        found = verify_run(place / "run", tmp_path)
        assert found.judged == ()
        assert "no data set at" in found.not_judged["ten"]
        assert "was altered" in found.not_judged["hundred"]
        shown = "\n".join(found.lines())
        assert "not judged again: ten, no data set at" in shown

    def test_another_data_set_of_that_name_judges_nothing(self, place, tmp_path):
        write_labelled(tmp_path)
        (tmp_path / "ten").rename(tmp_path / "other")
        (tmp_path / "hundred").rename(tmp_path / "ten")
        found = verify_run(place / "run", tmp_path)
        assert "is not the planned data set" in found.not_judged["ten"]


class TestEarlierVersion:
    """`earlier/` is a run as version 0.1.0 wrote it, before there were seals."""

    @pytest.fixture
    def run(self, tmp_path):
        return copied(EARLIER, tmp_path / "earlier")

    def test_is_verified_and_reported(self, run):
        found = verify_run(run)
        assert found.compared == ("results.csv", "manifest.json")
        assert not found.sealed
        assert found.results_digest.startswith("d378048f6a61")
        assert read_run(run).results_digest == found.results_digest
        assert sorted(path.name for path in run.iterdir()) == [
            "ledger.sqlite", "manifest.json", "results.csv",
        ]  # fmt: skip

    def test_is_judged_by_the_data_set_that_it_was_run_on(self, run, workplace):
        assert verify_run(run, workplace / "data").judged == ("shapes10",)


def command(monkeypatch, capsys, *words):
    monkeypatch.setattr("sys.argv", ["semcom", "verify", *map(str, words)])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return ended.value.code, capsys.readouterr()


class TestJudgingDemanded:
    def test_a_run_that_is_judged_whole_is_good(self, place, monkeypatch, capsys):
        run, data = place / "run", place / "data"
        code, said = command(monkeypatch, capsys, run, "--data", data, "--judge")
        assert code == 0
        assert "answers judged again with the data set: ten, hundred" in said.out
        assert (
            "only stated by the ledger: the answers, their SNRs, channels and codecs, times and "
            "attempts\n" in said.out
        )

    @pytest.mark.parametrize("how", ["absent", "altered", "another"])
    def test_a_link_that_is_not_judged_is_an_error(self, place, tmp_path, monkeypatch, capsys, how):
        write_labelled(tmp_path)
        if how == "absent":
            (tmp_path / "hundred").rename(tmp_path / "elsewhere")
        elif how == "altered":
            labels = tmp_path / "hundred" / "test" / "labels.npy"
            labels.write_bytes(labels.read_bytes()[:-2] + b"\x01\x00")
        else:
            (tmp_path / "hundred").rename(tmp_path / "elsewhere")
            (tmp_path / "ten").rename(tmp_path / "hundred")
            (tmp_path / "elsewhere").rename(tmp_path / "ten")
        words = (place / "run", "--data", tmp_path)
        code, said = command(monkeypatch, capsys, *words)
        assert code == 0
        assert "whether they are right on " in said.out
        code, said = command(monkeypatch, capsys, *words, "--judge")
        assert code == 2
        (line,) = said.err.splitlines()
        assert "was not judged again: " in line
        assert "--data" in line


def test_the_command_says_what_it_proved(place, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["semcom", "verify", str(place / "run"), "--data", "/none"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 0
    said = capsys.readouterr().out
    assert "each exactly once" in said
    assert "not judged again: ten, no data set at /none/ten" in said
