"""Findings of a soak: audits of all frames, and the growth of processes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations
from statistics import median

from orchestrator.soak.audit import Audit

JUDGED_AFTER_S = (
    120.0  # before that, a process still loads, fills its caches, and draws a first report
)
JUDGED_S = 120.0  # a slope over less is not meaningful
LONG_S = 300.0  # over this time, slower growth becomes visible
WINDOW_S = 10.0  # the minimum over this time is what stays allocated
GROWTH_MIB_PER_MINUTE = 1.0
LONG_GROWTH_MIB_PER_MINUTE = 0.5
GROWTH_DESCRIPTORS = 2  # minimum in a window, because connections come and go


@dataclass(frozen=True, slots=True)
class Sample:
    """A process at one time."""

    at_s: float
    mib: float  # its own memory, without pages of files and shared pages
    descriptors: int


@dataclass(frozen=True)
class Growth:
    """Growth of a process that ran long enough, once it had settled."""

    process: str
    seconds: float
    mib: float
    mib_per_minute: float
    descriptors: int

    @classmethod
    def of(cls, process: str, samples: Sequence[Sample]) -> Growth:
        """Return the growth over the samples of a settled process."""
        quarter = max(1, len(samples) // 4)
        first, last = samples[:quarter], samples[-quarter:]
        return cls(
            process=process,
            seconds=samples[-1].at_s - samples[0].at_s,
            mib=samples[-1].mib,
            mib_per_minute=slope_mib_per_minute(samples),
            descriptors=least_descriptors(last) - least_descriptors(first),
        )

    @property
    def bounded(self) -> bool:
        """Return whether its memory stays bounded, as far as can be judged."""
        long = self.seconds >= LONG_S
        allowed = LONG_GROWTH_MIB_PER_MINUTE if long else GROWTH_MIB_PER_MINUTE
        return self.mib_per_minute < allowed and self.descriptors <= GROWTH_DESCRIPTORS

    def __str__(self) -> str:
        """Return a line of the report."""
        return (
            f"{self.process}: {self.mib_per_minute:+.2f} MiB/min over {self.seconds:.0f} s, "
            f"now {self.mib:.0f} MiB, descriptors {self.descriptors:+d}"
            + ("" if self.bounded else ", GROWS")
        )


@dataclass
class Soak:
    """A soak: its faults and its findings."""

    rounds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    audits: list[Audit] = field(default_factory=list)
    digests_equal: bool = True
    streamed: int = 0  # frames of the live links, without those of killed orchestrators
    unaccounted: int = 0
    lives: dict[tuple[str, int], list[Sample]] = field(default_factory=dict)
    judge_memory: bool = True
    present: set[tuple[str, int]] = field(
        default_factory=set
    )  # processes at the end, all of which are to be judged

    @property
    def clean(self) -> bool:
        """Return whether every frame is accounted for and, if judged, no process grows."""
        return (
            self.digests_equal
            and not self.unaccounted
            and all(each.clean for each in self.audits)
            and (not self.judge_memory or self._memory_bounded)
        )

    @property
    def growth(self) -> list[Growth]:
        """Return the growth of every process that ran long enough to be judged."""
        return [
            Growth.of(f"{peer} ({pid})", settled(self.lives[peer, pid]))
            for peer, pid in sorted(self._judged)
        ]

    @property
    def not_judged(self) -> list[str]:
        """Return processes at the end that had not run long enough."""
        return sorted(peer for peer, pid in self.present - self._judged)

    def lines(self) -> list[str]:
        """Return the lines of the report."""
        faults = ", ".join(f"{count} x {name}" for name, count in sorted(self.faults.items()))
        found = [f"{self.rounds} sweeps in a live system; faults: {faults or 'none'}"]
        for kind in ("lost", "duplicated", "unexpected", "mismatching"):
            found.append(f"{kind}: {sum(len(getattr(each, kind)) for each in self.audits)}")
        found.append(f"digest equal: {'yes' if self.digests_equal else 'NO'}")
        found.append(f"streamed in between: {self.streamed}, not accounted for {self.unaccounted}")
        return found + self._memory_lines()

    @property
    def _judged(self) -> set[tuple[str, int]]:
        return {name for name, life in self.lives.items() if settled(life)}

    @property
    def _memory_bounded(self) -> bool:
        return not self.not_judged and all(each.bounded for each in self.growth)

    def _memory_lines(self) -> list[str]:
        if not self.judge_memory:
            return ["memory: not judged, as requested", *map(str, self.growth)]
        needed_s = JUDGED_AFTER_S + JUDGED_S
        if self.not_judged:
            names = ", ".join(self.not_judged)
            verdict = f"NOT JUDGED: {names} did not run for {needed_s:.0f} s"
        else:
            verdict = "bounded" if self._memory_bounded else "GROWS"
        return [f"memory: {verdict}", *map(str, self.growth)]


def settled(life: Sequence[Sample]) -> Sequence[Sample]:
    """Return the samples that count: the second half of a process's life, once it has settled.

    Empty if it did not run long enough. By then, what fills up slowly has reached its bound, and
    what grows without bound has not.
    """
    if not life or life[-1].at_s - life[0].at_s < JUDGED_AFTER_S + JUDGED_S:
        return []
    lived_s = life[-1].at_s - life[0].at_s
    begun_s = min(max(JUDGED_AFTER_S, lived_s / 2), lived_s - JUDGED_S)
    return [sample for sample in life if sample.at_s - life[0].at_s >= begun_s]


def least_descriptors(samples: Sequence[Sample]) -> int:
    """Return the number of descriptors that stay open: the median of the windows' minima.

    While peers are killed, dozens of connections are half open at any time; a leak stays.
    """
    least: dict[int, int] = {}
    for sample in samples:
        window = int((sample.at_s - samples[0].at_s) / WINDOW_S)
        least[window] = min(sample.descriptors, least.get(window, sample.descriptors))
    return int(median(least.values()))


def slope_mib_per_minute(samples: Sequence[Sample]) -> float:
    """Return the growth of retained memory: the median of all slopes between windows' minima.

    A few windows with a high load do not matter (Theil, 1950; Sen, 1968).
    """
    least: dict[int, Sample] = {}
    for sample in samples:
        window = int((sample.at_s - samples[0].at_s) / WINDOW_S)
        if window not in least or sample.mib < least[window].mib:
            least[window] = sample
    slopes = [
        60.0 * (later.mib - earlier.mib) / (later.at_s - earlier.at_s)
        for earlier, later in combinations(least.values(), 2)
        if later.at_s > earlier.at_s
    ]
    return median(slopes) if slopes else 0.0
