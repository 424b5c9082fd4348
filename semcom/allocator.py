"""The memory allocator of processes that train or evaluate with large arrays.

glibc returns memory to the system as soon as large arrays are freed, so the next step maps and
zeroes every page again: 25,000 pages in each step of the compact student, while threads wait for
each other. With these settings it keeps its memory, in huge pages. Its lists of small chunks are
disabled, because glibc scans them whenever a large array is freed. Results are the same.
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
    """Return an environment for a new process that keeps its memory; tunables already set are kept.

    Other C libraries ignore the variable.
    """
    return {TUNABLES: KEEP, **environment}
