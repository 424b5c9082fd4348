"""The memory allocator of processes that train or evaluate with large arrays.

glibc gives memory back to the system as soon as large arrays are freed, and the next step has every
page mapped and zeroed again: 25,000 of them in each step of the compact student, while threads wait
for each other. Told so, it keeps what it has, in huge pages. Its lists of small pieces are off, for
every large array that is freed had it go through them. Results are the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

TUNABLES = "GLIBC_TUNABLES"
KEEP = ":".join(
    f"glibc.malloc.{tunable}"
    for tunable in ("mmap_max=0", "trim_threshold=1099511627776", "hugetlb=1", "mxfast=0")
)


def keeping_memory(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """An environment for a new process that keeps its memory; tunables that are set stay.

    Other C libraries pass over the variable.
    """
    return {TUNABLES: KEEP, **environment}
