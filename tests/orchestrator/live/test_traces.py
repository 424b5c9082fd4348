"""Traces: taken where they can mean one thing, else refused with the row and the reason."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.live.traces import MAX_TRACE_BYTES, read_trace
from semcom.errors import ConfigurationError
from tests.properties import examples


def read(tmp_path, content: bytes):
    file = tmp_path / "trace.csv"
    file.write_bytes(content)
    read_trace.cache_clear()
    return read_trace(file)


@pytest.mark.parametrize(
    ("content", "times_s", "snrs_db", "notes"),
    [
        (b"seconds,snr_db\n0,10\n5,-3.25\n", (0, 5), (10, -3.25), 0),
        (b"0,10\n", (0,), (10,), 0),
        (b"\xef\xbb\xbfseconds,snr_db\r\n0,10\r\n5,0\r\n", (0, 5), (10, 0), 0),
        (b"Seconds, SNR_dB\n 0 , 1e1 \n\n.5,2.\n", (0, 0.5), (10, 2), 0),
        (b"# seconds,snr_db\n0,1\n# gap\n2,3\n", (0, 2), (1, 3), 0),
        (b'"seconds","snr_db"\n"0","1"\n', (0,), (1,), 0),
        (b"seconds;snr_db\n0;1.5\n2;3\n", (0, 2), (1.5, 3), 1),
        (b"0\t1.5\n2\t3\n", (0, 2), (1.5, 3), 1),
        (b"1700000000,10\n1700000005.5,0\n", (0, 5.5), (10, 0), 1),
        (b"1700000000;10\n1700000005;0\n", (0, 5), (10, 0), 2),
        (b"3,10\n4,-30\n1e7,60\n", (3, 4, 1e7), (10, -30, 60), 0),
    ],
)
def test_trace_of_one_meaning_is_taken(tmp_path, content, times_s, snrs_db, notes):
    found = read(tmp_path, content)
    assert (found.times_s, found.snrs_db) == (times_s, snrs_db)
    assert len(found.notes) == notes


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "row 1: no values; each row is seconds,snr_db"),
        (b"\xef\xbb\xbf\r\n", "row 1: no values"),
        (b"seconds,snr_db\n", "row 1: no values"),
        (b"a,b\n0,1\n", "row 1: 'a,b' is not seconds,snr_db"),
        (b"snr_db,seconds\n0,1\n", "row 1: 'snr_db,seconds' is not seconds,snr_db"),
        (
            b"seconds,snr_db\nseconds,snr_db\n0,1\n",
            "row 2: seconds must be a number, got 'seconds'",
        ),
        (b"0,1\n\n0,2\n", "row 3: seconds 0 occurs twice; times must increase"),
        (b"0,1\n5,2\n3,2\n", "row 3: seconds 3 follows 5; times must increase"),
        (b"-1,3\n", "row 1: seconds -1 is below 0"),
        (b"0,nan\n", "row 1: snr_db must be a number, got 'nan'"),
        (b"0,1\n1,inf\n", "row 2: snr_db must be a number, got 'inf'"),
        (b"0,120\n", "row 1: snr_db 120.0 is not within -30 to 60 dB"),
        (b"0,1\n1,-30.1\n", "row 2: snr_db -30.1 is not within -30 to 60 dB"),
        (b"0," + b"9" * 400 + b"\n", "row 1: snr_db inf is not within"),
        (b"0,1_0\n", "row 1: snr_db must be a number, got '1_0'"),
        ("0,\u0661\n".encode(), "row 1: snr_db must be a number"),
        (b"0;1\n1;2,5\n", "row 2: snr_db must be a number, got '2,5'; write a point in place"),
        (b"2026-01-01T00:00:00,5\n", "times are seconds, not dates"),
        (b"00:00:05,5\n", "times are seconds, not dates"),
        (b"0\n", "row 1: '0' has 1 column, not 2"),
        (b"0,1\n1,2,3\n", "row 2: '1,2,3' has 3 columns, not 2"),
        (b"0 1\n", "row 1: '0 1' has 1 column, not 2"),
        (b'0,1\n"1,2\n', "row 2: '\"1,2' is not seconds,snr_db"),
        (b"0,1\n1e8,2\n", "row 2: seconds 100000000 is beyond 10,000,000"),
        (b"1700000000000,10\n1700000005000,0\n", "row 1: seconds 1.7e+12 is beyond 10,000,000"),
        (b"0,1\n1700000000,0\n", "row 2: seconds 1700000000 is beyond"),
        ("0,1\n".encode("utf-16"), "the file is in UTF-16; save it as UTF-8"),
        (b"0,1\n\xe9,2\n", "line 2, column 1: the byte 0xe9 is not UTF-8"),
        (b"0,1\n1,\0\n", "is not text: it contains zero bytes"),
    ],
)
def test_anything_else_is_refused_with_its_row(tmp_path, content, expected):
    with pytest.raises(ConfigurationError) as caught:
        read(tmp_path, content)
    line = str(caught.value)
    assert line.startswith(f"trace {tmp_path / 'trace.csv'}")
    assert expected in line
    assert "\n" not in line
    assert len(line) < 600


@pytest.mark.timeout(10)
def test_only_a_regular_file_of_bounded_size_is_read(tmp_path):
    os.mkfifo(tmp_path / "fifo")
    with (tmp_path / "large").open("wb") as file:
        file.truncate(MAX_TRACE_BYTES + 1)
    (tmp_path / "loop").symlink_to("loop")
    for name, reason in (
        ("fifo", "a FIFO, not a regular file"),
        (".", "a folder, not a regular file"),
        ("large", "larger than"),
        ("none", "No such file"),
        ("loop", "symbolic links"),
        ("x" * 300, "name too long"),
    ):
        with pytest.raises(ConfigurationError, match=reason):
            read_trace(tmp_path / name)


def one_short_line(error):
    assert "\n" not in str(error)
    assert len(str(error)) < 600


rows = st.lists(
    st.tuples(
        st.sampled_from(["0", "1", "2.5", "-1", "1e3", "1700000000", "nan", "", "x"])
        | st.floats().map(repr),
        st.sampled_from(["10", "-30", "61", "1e-2", "NaN", "", '"3"']) | st.floats().map(repr),
    ),
    max_size=5,
)


@examples(300)
@given(
    data=st.binary(max_size=60)
    | st.text("0123456789.,;\t\n\r\"'#-+eE nasdbrc_", max_size=60).map(str.encode)
    | st.tuples(rows, st.sampled_from([",", ";", "\t", ", "]), st.sampled_from(["\n", "\r\n"])).map(
        lambda each: each[2].join(each[1].join(row) for row in each[0]).encode()
    )
)
def test_any_bytes_are_a_trace_within_bounds_or_refused_in_one_line(data, tmp_path_factory):
    try:
        found = read(tmp_path_factory.getbasetemp(), data)
    except ConfigurationError as error:
        one_short_line(error)
        return
    assert len(found.times_s) == len(found.snrs_db) > 0
    assert list(found.times_s) == sorted(set(found.times_s))
    assert found.times_s[0] >= 0
    assert found.times_s[-1] <= 1e7
    assert all(-30 <= snr_db <= 60 for snr_db in found.snrs_db)
