"""The Python package: what commands do, from Python, by the same code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import rkd_sc
from semcom.errors import AccountingError, CheckpointError, ConfigurationError
from tests.orchestrator.judged import write_judged_run, write_labelled

PAGE_OF_RESULTS = Path(__file__).resolve().parents[2] / "docs" / "results.md"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("judged")
    write_labelled(folder / "data")
    write_judged_run(folder / "run", folder / "data")
    return folder


@pytest.fixture(scope="module")
def run(place: Path) -> rkd_sc.Run:
    return rkd_sc.load_run(place / "run")


def test_results_are_the_complete_points_with_their_metrics(run):
    assert run.complete
    assert repr(run).startswith("<Run run: complete, results digest ")
    assert [result.link for result in run][:1] == ["ten"]
    for result in run.results:
        assert result.task == "classification"
        accuracy = result.values["accuracy"]
        assert accuracy == result.score["correct"] / result.images
        low, high = result.intervals["accuracy"]
        assert low <= accuracy <= high


def test_figure_is_that_of_reports(run):
    figure = run.figure()
    assert isinstance(figure, Figure)
    assert [metric.name for metric in run.metrics] == ["accuracy"]
    with pytest.raises(ConfigurationError, match="no metric 'psnr' here; available: accuracy"):
        run.figure("psnr")


def test_data_frame_has_a_column_per_metric(run):
    pandas = pytest.importorskip("pandas")
    frame = run.to_pandas()
    assert isinstance(frame, pandas.DataFrame)
    assert {"link", "snr_db", "accuracy", "accuracy_ci95_low"} <= {*frame.columns}
    assert len(frame) == len(run.results)


def test_frames_are_the_rows_of_the_ledger(run):
    frames = run.frames()
    assert sum(frame.images for frame in frames) == sum(result.images for result in run)
    assert sum(frame.score["correct"] for frame in frames) == sum(
        result.score["correct"] for result in run
    )
    assert {frame.point for frame in frames} == {*range(len(run.plan.points))}


def test_program_of_the_page_about_results_reads_a_ledger(place, monkeypatch, capsys):
    text = PAGE_OF_RESULTS.read_text()
    program = text[text.index("import numpy") :].partition("```")[0]
    (place / "runs").mkdir()
    (place / "runs" / "demo").symlink_to(place / "run")
    monkeypatch.chdir(place)
    variables: dict[str, Any] = {}
    exec(program, variables)
    assert len(capsys.readouterr().out.splitlines()) == len(variables["run"].frames())
    assert len(variables["classes"]) == variables["frame"].images


def test_verify_judges_again_by_the_data(run, place):
    assert set(run.verify(place / "data").judged) == {"ten", "hundred"}
    assert run.verify().judged == ()


def test_folder_without_a_run_is_an_error_of_ours(tmp_path):
    with pytest.raises(ConfigurationError) as caught:
        rkd_sc.load_run(tmp_path)
    assert isinstance(caught.value, rkd_sc.SemcomError)
    assert issubclass(AccountingError, rkd_sc.SemcomError)


@pytest.mark.parametrize(
    ("scenario", "text"),
    [
        ({"name": "x", "links": {}, "snr_db": [0]}, "links"),
        ({"name": "x", "links": {"a": {"dataset": "d", "codec": "c"}}, "snr": [0]}, "snr"),
        ("nowhere.yaml", "nowhere.yaml"),
    ],
)
def test_scenario_that_is_none_is_one_line(scenario, text, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match=text) as caught:
        rkd_sc.sweep(scenario)
    assert len(str(caught.value).splitlines()) == 1


class TestChannel:
    SYMBOLS = np.exp(1j * np.arange(12.0)).reshape(3, 4)

    def test_same_arguments_give_the_same_bits_however_codewords_are_cut(self):
        channel = rkd_sc.Channel({"model": "rayleigh", "equalizer": "mmse"})
        whole = channel.pass_through(self.SYMBOLS, snr_db=10, seed=1)
        last = channel.pass_through(self.SYMBOLS[1:], snr_db=10, seed=1, first=1)
        assert np.array_equal(whole.symbols[1:], last.symbols)
        assert whole.csi is not None
        assert whole.csi.shape == (3, 1)
        assert whole.equalizer == "mmse"
        other = channel.pass_through(self.SYMBOLS, snr_db=10, seed=2)
        assert not np.array_equal(other.symbols, whole.symbols)

    def test_model_of_a_package_is_taken_by_its_name(self):
        received = rkd_sc.Channel("jakes").pass_through(self.SYMBOLS, snr_db=60)
        assert received.symbols.shape == (3, 4)
        assert rkd_sc.Channel().pass_through(self.SYMBOLS, snr_db=60).csi is None

    @pytest.mark.parametrize("settings", ["fog", {"model": "awgn", "rician_k": 3}, {"colour": 1}])
    def test_settings_that_are_none_are_one_line(self, settings):
        with pytest.raises(ConfigurationError) as caught:
            rkd_sc.Channel(settings)
        assert len(str(caught.value).splitlines()) == 1

    @pytest.mark.parametrize("changes", [{"snr_db": 1000}, {"snr_db": float("nan")}, {"seed": -1}])
    def test_point_that_is_none_is_an_error(self, changes):
        with pytest.raises(ConfigurationError, match="not a valid point"):
            rkd_sc.Channel().pass_through(self.SYMBOLS, **{"snr_db": 0, **changes})

    @pytest.mark.parametrize("symbols", [[], [1.0], np.zeros((0, 4)), np.zeros((2, 2, 2))])
    def test_no_codewords_are_an_error(self, symbols):
        with pytest.raises(ConfigurationError, match="not \\(N, K\\)"):
            rkd_sc.Channel().pass_through(symbols, snr_db=0)

    def test_symbols_that_are_not_used_stay_zero(self):
        used = [4, 2, 0]
        symbols = self.SYMBOLS * (np.arange(4) < np.array(used)[:, None])
        channel = rkd_sc.Channel("rayleigh")
        received = channel.pass_through(symbols, snr_db=5, used=used)
        whole = channel.pass_through(symbols, snr_db=5)
        for row, every, count in zip(received.symbols, whole.symbols, used, strict=True):
            assert np.array_equal(row[:count], every[:count])
            assert not row[count:].any()
        assert every.all()

    @pytest.mark.parametrize(
        ("used", "complaint"),
        [
            ([4, 2], "3 integers"),
            ([4.0, 2.0, 1.0], "3 integers"),
            ([4, 5, 1], "0 to 4 symbols"),
            ([4, -1, 1], "0 to 4 symbols"),
            ([4, 2, 1], "symbols after those that it uses"),
        ],
    )
    def test_used_that_does_not_fit_is_one_line(self, used, complaint):
        with pytest.raises(ConfigurationError, match=complaint):
            rkd_sc.Channel().pass_through(self.SYMBOLS, snr_db=5, used=used)


def test_codecs_are_those_of_a_folder_or_the_shipped_ones(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shipped = rkd_sc.codecs()
    assert {"shapes10", "cifar10"} <= set(shipped)
    codec = rkd_sc.load_codec("shapes10")
    assert codec.digest == shipped["shapes10"].digest
    assert codec.manifest.family.name == "rkd"
    assert rkd_sc.codecs(tmp_path) == {}
    with pytest.raises(CheckpointError):
        rkd_sc.load_codec("nothing")


def test_names_are_those_that_are_promised():
    assert all(hasattr(rkd_sc, name) for name in rkd_sc.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'colour'"):
        _ = rkd_sc.colour
