"""What users wrote that failed: inputs of the kinds that public bug reports tell of."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.live.live_scenario import read_live_scenario, trace_notes
from orchestrator.live.traces import read_trace
from orchestrator.plan.scenario import read_scenario
from semcom.errors import ConfigurationError

CASES = Path(__file__).resolve().parents[4] / "shared" / "cases"
HEAD = "name: s\nlinks:\n  a: {dataset: shapes10, codec: shapes10}\n"
# Of our own making: the file's name in the folder of cases where it is of the same kind.
REFUSED = {
    "ignored-csi-on-awgn": (
        HEAD + "channels: [{model: awgn, csi: none}]\nsnr_db: [0]\n",
        "channels.0.csi: has no effect with model: awgn; it belongs to model: rayleigh or rician",
    ),
    "ignored-k-no-model": (
        HEAD + "channels: [{rician_k: 3}]\nsnr_db: [0]\n",
        "channels.0.rician_k: has no effect with model: awgn; it belongs to model: rician, "
        "and model is missing",
    ),
    "ignored-k-on-rayleigh": (
        HEAD + "channels: [{model: rayleigh, rician_k: 3}]\nsnr_db: [0]\n",
        "channels.0.rician_k: has no effect with model: rayleigh; it belongs to model: rician",
    ),
    "ignored-mismatch-no-variance": (
        HEAD + "channels: [{model: rician, csi: mismatch}]\nsnr_db: [0]\n",
        "channels.0: csi: mismatch needs csi_error_variance",
    ),
    "ignored-variance-no-csi": (
        HEAD + "channels: [{model: rician, csi_error_variance: 0.1}]\nsnr_db: [0]\n",
        "channels.0: csi_error_variance needs csi: mismatch",
    ),
    "snr-down": (HEAD + "snr_db: {start: 5, stop: 0, step: -1}\n", "snr_db: stop 0 is below start"),
    "snr-miss": (HEAD + "snr_db: {start: 0, stop: 5, step: 2}\n", "snr_db: stop"),
    "snr-scalar": (HEAD + "snr_db: 5\n", "snr_db: must be a list"),
    "snr-string": (HEAD + "snr_db: '0:5:1'\n", "snr_db: must be a list"),
    "snr-zero": (HEAD + "snr_db: {start: 0, stop: 5, step: 0}\n", "snr_db.step: must be a number"),
    "yaml-colon": (
        HEAD + "channels:\n  - model: awgn\n   csi: none\nsnr_db: [0]\n",
        ", line 6, column 4: this does not belong to the list that begins in line 5, column 3",
    ),
    "yaml-duplicate": (
        HEAD + "  b: {dataset: x, codec: y}\n  a: {dataset: x, codec: y}\nsnr_db: [0]\n",
        ", line 5, column 3: the key 'a' is given twice, first in line 3 (in links)",
    ),
    "yaml-tab": ("name: s\nlinks:\n\ta: {}\n", ", line 3, column 1: a tab"),
    "yaml-unclosed": (
        "name: s\nlinks:\n  a: {dataset: x, codec: y\nchannels: []\n",
        ", line 3, column 6: '{' is not closed",
    ),
}
TAKEN = {
    "number-rician": HEAD + "channels: [{model: rician, rician_k: 2e1}]\nsnr_db: [0]\n",
    "number-variance": HEAD
    + "channels: [{model: rayleigh, csi: mismatch, csi_error_variance: 5e-2}]\nsnr_db: [0]\n",
}
case = pytest.mark.skipif(
    not CASES.exists(), reason="the folder of cases, shared/cases, is not there"
)


def refusal(path: Path) -> str:
    with pytest.raises(ConfigurationError) as caught:
        read_scenario(path)
    line = str(caught.value)
    assert caught.value.exit_code == 2
    assert "\n" not in line
    return line


@pytest.mark.parametrize("name", REFUSED)
def test_scenario_is_refused_in_one_line_that_says_what_is_wrong(name: str, tmp_path: Path) -> None:
    text, expected = REFUSED[name]
    path = tmp_path / "s.yaml"
    path.write_text(text)
    line = refusal(path)
    assert line.startswith(f"{path}: {expected}" if expected[0] != "," else f"{path}{expected}")


@case
@pytest.mark.parametrize("name", REFUSED)
def test_case_is_refused_alike(name: str) -> None:
    """As far as the message names no value of the file's own."""
    expected = REFUSED[name][1].split(" ")[0]
    assert expected in refusal(CASES / "scenarios" / f"{name}.yaml")


@pytest.mark.parametrize("name", TAKEN)
def test_number_is_read_as_yaml_1_2_has_it(name: str, tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"
    path.write_text(TAKEN[name])
    (channel,) = read_scenario(path).channels
    assert (channel.rician_k, channel.csi_error_variance) in ((20, 0), (4, 0.05))


@case
def test_cases_of_numbers_are_read() -> None:
    (rician,) = read_scenario(CASES / "scenarios" / "number-rician.yaml").channels
    (variance,) = read_scenario(CASES / "scenarios" / "number-variance.yaml").channels
    assert (rician.rician_k, variance.csi_error_variance) == (10.0, 0.01)


def live(tmp_path: Path, trace: bytes) -> Path:
    (tmp_path / "t.csv").write_bytes(trace)
    path = tmp_path / "live.yaml"
    link = "a: {dataset: shapes10, codec: shapes10, course: {kind: trace, file: t.csv}}"
    path.write_text(f"name: s\nmode: live\nlinks:\n  {link}\n")
    read_trace.cache_clear()
    return path


def test_trace_of_another_form_is_taken_and_said(tmp_path: Path) -> None:
    path = live(tmp_path, b"\xef\xbb\xbfseconds;snr_db\r\n1700000000;1\r\n1700000009;2\r\n")
    notes = trace_notes(read_live_scenario(path))
    assert [note.partition(": ")[2] for note in notes] == [
        "columns are separated by semicolons",
        "times count from 1970; the first, 1700000000, is taken as 0",
    ]


@pytest.mark.parametrize(
    ("trace", "expected"),
    [
        (b"", "row 1: no values"),
        (b"0,1\n5,120\n", "row 2: snr_db 120.0 is not within -30 to 60 dB"),
    ],
)
def test_trace_that_is_refused_names_its_link_row_and_reason(trace, expected, tmp_path):
    with pytest.raises(ConfigurationError, match=r"live\.yaml: links\.a\.course: trace ") as caught:
        read_live_scenario(live(tmp_path, trace))
    assert expected in str(caught.value)


@case
def test_cases_of_traces() -> None:
    assert read_trace(CASES / "traces" / "bom.csv").snrs_db == (10, 0, 5)
    unix = read_trace(CASES / "traces" / "unix.csv")
    assert (unix.times_s, len(unix.notes)) == ((0, 5, 10), 1)
    with pytest.raises(ConfigurationError, match="row 1: no values"):
        read_trace(CASES / "traces" / "empty.csv")
    assert read_live_scenario(CASES / "traces" / "bom.yaml")


@case
def test_cases_that_were_good_stay_good() -> None:
    for path in sorted((CASES / "scenarios").glob("*.yaml")):
        if path.stem not in REFUSED:
            assert read_scenario(path).name
