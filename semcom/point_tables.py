"""Points of a run, split into messages of limited size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate

import msgpack

from semcom.groups import Group
from semcom.messages import PointTable
from semcom.points import PointSpec
from semcom.wire import MAX_HEADER_BYTES

POINTS_PER_MESSAGE = 32
OTHER_BYTES = 1024  # of a header besides its points


def point_tables(
    run: str,
    points: Iterable[PointSpec],
    *,
    first: int = 0,
    lowest: int = 0,
    groups: Sequence[Group] = (),
    max_header_bytes: int = MAX_HEADER_BYTES,
) -> list[PointTable]:
    """Return tables of the points of a run from `first` on.

    Each lists all groups of the run.

    Each fits into a header, whatever the settings of its channels; `max_header_bytes` must be
    enough for one point.
    """
    groups_bytes = sum(len(msgpack.packb(group.model_dump())) for group in groups)
    tables: list[list[PointSpec]] = []
    room = 0
    total = first
    for point in points:
        size = len(msgpack.packb(point.model_dump()))
        if not tables or len(tables[-1]) == POINTS_PER_MESSAGE or size > room:
            tables.append([])
            room = max_header_bytes - OTHER_BYTES - groups_bytes
        tables[-1].append(point)
        room -= size
        total += 1
    starts = accumulate((len(table) for table in tables), initial=first)
    return [
        PointTable(
            run=run, total=total, first=start, points=table, lowest=lowest, groups=list(groups)
        )
        for start, table in zip(starts, tables, strict=False)
    ]
