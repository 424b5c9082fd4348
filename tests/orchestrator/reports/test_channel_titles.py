"""Names of channels: as in papers, or as the user says."""

from __future__ import annotations

import pytest

from orchestrator.reports.channel_titles import channel_title, channels_named, given_title
from orchestrator.reports.markdown import markdown_tables
from orchestrator.reports.report import markdown_report
from orchestrator.reports.report_sources import read_sources
from semcom.errors import ConfigurationError
from tests.orchestrator.judged import write_judged_run, write_labelled


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory):
    place = tmp_path_factory.mktemp("judged")
    write_labelled(place / "data")
    write_judged_run(place / "run", place / "data")
    return place / "run"


@pytest.mark.parametrize(
    ("label", "title"),
    [
        ("awgn", "AWGN"),
        ("rician k=4", "Rician k=4"),
        ("mine x=1", "mine x=1"),
        ("rayleigh interferers=1 sir=3", "Rayleigh, 1 interferer of SIR 3 dB"),
    ],
)
def test_label_is_written_as_in_papers(label, title):
    assert channel_title(label) == title
    assert given_title(label) is None


@pytest.mark.parametrize(
    ("name", "label", "title"),
    [
        ("awgn", "awgn", "Cable"),
        ("AWGN", "awgn", "Cable"),
        ("rician k=4", "rician k=4", "Cable"),
        ("rician", "rician k=4", "Rician k=4"),
        ("rayleigh", "rayleigh interferers=2 sir=3", "Cable, 2 interferers of SIR 3 dB"),
        ("Rayleigh", "rayleigh interferers=2 sir=3", "Cable, 2 interferers of SIR 3 dB"),
        ("rayleigh interferers=2 sir=3", "rayleigh interferers=2 sir=3", "Cable"),
        ("Rayleigh, 2 interferers of SIR 3 dB", "rayleigh interferers=2 sir=3", "Cable"),
    ],
)
def test_name_of_the_user_replaces_it(name, label, title):
    with channels_named({name: "Cable"}):
        assert channel_title(label) == title
    assert "Cable" not in channel_title(label)


def test_tables_of_a_run_have_the_name(folder):
    (run,) = read_sources([folder]).runs
    label = run.summary.plan.points[0].spec.label
    assert label in markdown_tables(run.summary)
    text = markdown_report([folder], labels={label: "Cable"})
    assert "Cable" in text
    assert f", {label} " not in text


def test_name_may_contain_the_sign_that_ends_it(folder):
    (run,) = read_sources([folder]).runs
    label = run.summary.plan.points[0].spec.label
    assert read_sources([folder], {label: "a=b"}).labels == {label: "a=b"}
    name, equals, rest = label.partition("=")
    if equals:
        assert read_sources([folder], {name: f"{rest}=Cable"}).labels == {label: "Cable"}
    with pytest.raises(ConfigurationError, match=f"no system, codec or channel .*{label}"):
        read_sources([folder], {"nothing": "Cable"})
