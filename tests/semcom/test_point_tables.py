"""Tables of points: all of them, once, in order, in messages that can be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from semcom.messages import PointTable
from semcom.point_tables import OTHER_BYTES, POINTS_PER_MESSAGE, point_tables
from semcom.points import MAX_SETTINGS_TEXT, PluginChannel, PointSpec
from semcom.wire import MAX_HEADER_BYTES, decode, encode

LONGEST_NAME = "r" * 64


def points(count: int, *, text_chars: int = 0) -> list[PointSpec]:
    settings = {"text": "x" * text_chars} if text_chars else {}
    channel = PluginChannel(model="mine", settings=settings)
    return [PointSpec(channel=channel, snr_db=0.0, seed=seed) for seed in range(count)]


def header_bytes(table: PointTable) -> int:
    return len(encode(table)[1])


@given(
    sizes=st.lists(st.integers(0, 1900), max_size=100),
    first=st.integers(0, 10**6),
    max_header_bytes=st.integers(4096, 40_000),
)
def test_tables_hold_all_points_once_in_order_and_within_both_bounds(
    sizes, first, max_header_bytes
):
    wanted = [
        point.model_copy(update={"seed": number})
        for number, size in enumerate(sizes)
        for point in points(1, text_chars=size)
    ]
    tables = point_tables(
        LONGEST_NAME, wanted, first=first, lowest=first, max_header_bytes=max_header_bytes
    )
    assert [point for table in tables for point in table.points] == wanted
    assert all(1 <= len(table.points) <= POINTS_PER_MESSAGE for table in tables)
    assert all(header_bytes(table) <= max_header_bytes for table in tables)
    place = first
    for table in tables:
        assert (table.first, table.total, table.lowest) == (place, first + len(wanted), first)
        place += len(table.points)


@pytest.mark.parametrize(("count", "tables"), [(0, 0), (1, 1), (32, 1), (33, 2), (64, 2), (65, 3)])
def test_short_points_are_cut_by_their_number(count, tables):
    assert len(point_tables("run", points(count))) == tables


def test_points_are_not_cut_apart_before_they_must_be():
    size = header_bytes(point_tables("run", points(2, text_chars=1000))[0])
    enough = point_tables("run", points(2, text_chars=1000), max_header_bytes=size + OTHER_BYTES)
    assert len(enough) == 1


@pytest.mark.parametrize(
    "settings",
    [
        {"a": "x" * (MAX_SETTINGS_TEXT - 8)},
        {"a" * 64: [[0.5] * 60] * 8},  # four characters of JSON are nine bytes of msgpack
        {"a": [[-1.5] * 25] * 16},
    ],
    ids=["text", "floats", "negative"],
)
def test_the_longest_settings_leave_room_for_a_table(settings):
    channel = PluginChannel(model="m" * 64, settings=settings)
    point = PointSpec(channel=channel, snr_db=-0.5, seed=2**62)
    tables = point_tables(LONGEST_NAME, [point] * POINTS_PER_MESSAGE, first=2**30, lowest=2**30)
    assert all(decode(encode(table))[0] == table for table in tables)
    assert all(header_bytes(table) <= MAX_HEADER_BYTES for table in tables)


def test_whatever_stands_beside_the_points_has_room():
    (table,) = point_tables(LONGEST_NAME, points(1), first=2**31 - 2, lowest=2**31 - 1)
    alone = table.model_copy(update={"points": []})
    assert header_bytes(alone) <= OTHER_BYTES
