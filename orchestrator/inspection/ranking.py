"""The order of inspected items, the worst first. Pure.

Shape legend: N items, P points by ascending SNR.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

import numpy as np
import numpy.typing as npt

from semcom.tasks.metric import Metric

Order = Literal["worst", "change", "number"]
Values = npt.NDArray[np.float64]
COUNT = 8


@dataclass(frozen=True, kw_only=True)
class Which:
    """Choice of the items of a link to inspect.

    Attributes:
        items: their numbers; if empty, `count` of them are chosen.
        count: number of items to choose.
        by: order in which they are ranked.
        among: rank only this many first items; None: all if the ledger has their answers, otherwise
            200.
        detail: whether features are computed, too, which needs torch and another forward pass.
    """

    items: Sequence[int] = ()
    count: int = COUNT
    by: Order = "worst"
    among: int | None = None
    detail: Literal["symbols", "features"] = "features"


def ranked(values_NP: Values, metric: Metric, by: Order) -> list[int]:
    """Return the rows of a metric's values in the order of inspection.

    `worst`: the worst mean over all SNRs first; ties by change. `change`: the one whose value
    changes most from SNR to SNR first; ties by value. `number`: as sent.
    """
    mean_N, change_N = values_NP.mean(axis=1), changes(values_NP)
    worst_N = mean_N if metric.better == "higher" else -mean_N
    numbers_N = np.arange(len(values_NP))
    match by:
        case "worst":
            order = np.lexsort((numbers_N, -change_N, worst_N))
        case "change":
            order = np.lexsort((numbers_N, worst_N, -change_N))
        case "number":
            order = numbers_N
        case _:
            assert_never(by)
    found: list[int] = order.tolist()
    return found


def changes(values_NP: Values) -> Values:
    """Return the sum of the changes of each row's values from point to point.

    For correct and wrong answers, this is how often the item changed between them.
    """
    summed: Values = np.abs(np.diff(values_NP, axis=1)).sum(axis=1)
    return summed
