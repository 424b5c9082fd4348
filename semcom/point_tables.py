"""Points of a run, cut into messages that have room for them."""

from __future__ import annotations

from collections.abc import Iterable

import msgpack

from semcom.messages import PointTable
from semcom.points import PointSpec
from semcom.wire import MAX_HEADER_BYTES

POINTS_PER_MESSAGE = 32
OTHER_BYTES = 1024  # of a header beside its points


def point_tables(
    run: str,
    points: Iterable[PointSpec],
    *,
    first: int = 0,
    lowest: int = 0,
    max_header_bytes: int = MAX_HEADER_BYTES,
) -> list[PointTable]:
    """Return tables of the points `first` ... of a run: all that there are from there on.

    Each has room in a header, whatever the settings of its channels; `max_header_bytes` has to be
    enough for one point.
    """
    groups: list[list[PointSpec]] = []
    room = 0
    total = first
    for point in points:
        size = len(msgpack.packb(point.model_dump()))
        if not groups or len(groups[-1]) == POINTS_PER_MESSAGE or size > room:
            groups.append([])
            room = max_header_bytes - OTHER_BYTES
        groups[-1].append(point)
        room -= size
        total += 1
    tables = []
    for group in groups:
        tables.append(PointTable(run=run, total=total, first=first, points=group, lowest=lowest))
        first += len(group)
    return tables
