"""PSNR and LPIPS of codecs of images over shared channels, by channel and SNR.

`orchestrator.reports.sides` has how codecs are compared.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.measures.kinds import LPIPS
from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.reports.comparison import Draw, distinct_points, facts_of
from orchestrator.reports.curves import pooled_points
from orchestrator.reports.sides import Side
from orchestrator.results.run_folder import StoredRun
from orchestrator.results.summary import PointSummary
from semcom.tasks.metric import Metric
from semcom.tasks.reconstruction import PSNR, Reconstruction

KIND = Reconstruction.kind_name()
assert LPIPS.metric is not None
PERCEPTUAL: Metric = LPIPS.metric


class Condition(NamedTuple):
    """A metric over a channel at an SNR."""

    metric: str
    channel: str
    snr_db: float


@dataclass(frozen=True)
class ImageCodec:
    """A codec of images on a data set; `facts` are None where no manifest tells them."""

    dataset: str
    system: str
    name: str
    digest: str
    sides: Mapping[Condition, Side]
    facts: CodecFacts | None = None

    @property
    def seed(self) -> int | None:
        """Return the seed of its training; None if it is unknown."""
        return None if self.facts is None else self.facts.training_seed

    @property
    def made_from(self) -> str | None:
        """Return the digest of the codec that it refines; None of others."""
        return None if self.facts is None else self.facts.init_from


def image_codecs(runs: Sequence[StoredRun]) -> list[ImageCodec]:
    """Return what runs and evaluations tell."""
    facts = facts_of(runs)
    members: dict[tuple[str, str, str, str], dict[Condition, Side]] = defaultdict(dict)
    for metric in (PSNR, PERCEPTUAL):
        for member, draws in distinct_points(runs, metric).items():
            places: dict[Condition, dict[Draw, PointSummary]] = defaultdict(dict)
            for draw, point in draws.items():
                if point.task.kind == KIND and point.interference is None:
                    places[Condition(metric.name, draw.channel, draw.snr_db)][draw] = point
            for place, found in places.items():
                key = (member.dataset, member.system, member.codec, member.digest)
                members[key][place] = Side(metric, pooled_points(found.values())[0], found)
    return [ImageCodec(*key, sides, facts.get(key[-1])) for key, sides in members.items()]
