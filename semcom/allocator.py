"""The memory allocator of processes that train or evaluate with large arrays.

glibc gives memory back to the system as soon as large arrays are freed, and the next step has every
page mapped and zeroed anew: 25,000 of them in each step of the compact student, while threads wait
for each other. Told so, it keeps what it has, in huge pages. Results are the same.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

TUNABLES = "GLIBC_TUNABLES"
KEEP = "glibc.malloc.mmap_max=0:glibc.malloc.trim_threshold=1099511627776:glibc.malloc.hugetlb=1"


def keeping_memory(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """An environment for a new process that keeps its memory; tunables that are set stay.

    Other C libraries pass over the variable.
    """
    return {TUNABLES: KEEP, **environment}
