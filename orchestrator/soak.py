"""What a soak found: every frame of every round, and how the processes grew. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from orchestrator.audit import Audit

JUDGED_AFTER_S = 120.0  # until then a process still loads, fills its caches, draws a first report
JUDGED_S = 120.0  # a slope over less says nothing
GROWTH_MIB_PER_MINUTE = 1.0
GROWTH_DESCRIPTORS = 2  # a connection that is being made again


@dataclass(frozen=True)
class Sample:
    """A process at one time."""

    at_s: float
    rss_mib: float
    descriptors: int


@dataclass(frozen=True)
class Growth:
    """How a process that lived long enough changed, once it had settled."""

    process: str
    seconds: float
    mib_per_minute: float
    descriptors: int

    @classmethod
    def of(cls, process: str, samples: Sequence[Sample]) -> Growth:
        """Of the samples of a settled process."""
        quarter = max(1, len(samples) // 4)
        first, last = samples[:quarter], samples[-quarter:]
        return cls(
            process=process,
            seconds=samples[-1].at_s - samples[0].at_s,
            mib_per_minute=slope_mib_per_minute(samples),
            descriptors=max(s.descriptors for s in last) - max(s.descriptors for s in first),
        )

    @property
    def bounded(self) -> bool:
        """Whether it would stay as it is for ever, as far as can be told."""
        return (
            self.mib_per_minute < GROWTH_MIB_PER_MINUTE and self.descriptors <= GROWTH_DESCRIPTORS
        )

    def __str__(self) -> str:
        """One line of the report."""
        return (
            f"{self.process}: {self.mib_per_minute:+.2f} MiB/min over {self.seconds:.0f} s, "
            f"descriptors {self.descriptors:+d}" + ("" if self.bounded else ", GROWS")
        )


@dataclass
class Soak:
    """What was done, and what was found."""

    rounds: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    audits: list[Audit] = field(default_factory=list)
    digests_equal: bool = True
    streamed: int = 0  # frames of the live links, those of killed orchestrators left out
    unaccounted: int = 0
    lives: dict[tuple[str, int], list[Sample]] = field(default_factory=dict)

    @property
    def clean(self) -> bool:
        """Whether every frame is accounted for, and nobody grows."""
        return (
            self.digests_equal
            and not self.unaccounted
            and all(each.clean for each in self.audits)
            and all(each.bounded for each in self.growth)
        )

    @property
    def growth(self) -> list[Growth]:
        """Of every process that lived long enough to be judged."""
        steady = {
            name: [s for s in life if s.at_s - life[0].at_s >= JUDGED_AFTER_S]
            for name, life in self.lives.items()
            if life[-1].at_s - life[0].at_s >= JUDGED_AFTER_S + JUDGED_S
        }
        return [Growth.of(f"{peer} ({pid})", steady[peer, pid]) for peer, pid in sorted(steady)]

    def lines(self) -> list[str]:
        """The report."""
        faults = ", ".join(f"{count} x {name}" for name, count in sorted(self.faults.items()))
        found = [f"{self.rounds} sweeps in a live system; faults: {faults or 'none'}"]
        for kind in ("lost", "duplicated", "unexpected", "mismatching"):
            found.append(f"{kind}: {sum(len(getattr(each, kind)) for each in self.audits)}")
        found.append(f"digest equal: {'yes' if self.digests_equal else 'NO'}")
        found.append(f"streamed in between: {self.streamed}, not accounted for {self.unaccounted}")
        if not self.growth:
            needed_s = JUDGED_AFTER_S + JUDGED_S
            found.append(f"memory: not judged, no process lived for {needed_s:.0f} s")
        return found + [str(each) for each in self.growth]


def slope_mib_per_minute(samples: Sequence[Sample]) -> float:
    """Least squares of memory over time."""
    middle_s = sum(sample.at_s for sample in samples) / len(samples)
    mean_mib = sum(sample.rss_mib for sample in samples) / len(samples)
    spread = sum((sample.at_s - middle_s) ** 2 for sample in samples)
    both = sum((s.at_s - middle_s) * (s.rss_mib - mean_mib) for s in samples)
    return 60.0 * both / spread if spread else 0.0
