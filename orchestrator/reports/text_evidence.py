"""BLEU-1 of codecs of sentences over Rayleigh fading, and differences, by interference and SNR.

`orchestrator.reports.sides` has how codecs are compared.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.reports.comparison import Draw, distinct_points, facts_of
from orchestrator.reports.curves import CurvePoint, pooled_points
from orchestrator.reports.sides import Side
from orchestrator.results.run_folder import StoredRun
from orchestrator.results.summary import PointSummary
from semcom.interference import Interference
from semcom.tasks.columns import score_of
from semcom.tasks.text import BLEU_1, Text

CHANNEL = "rayleigh"
KIND = Text.kind_name()


class Condition(NamedTuple):
    """The channel condition of a sentence; `sir_db` is None without interferers."""

    interferers: int
    sir_db: float | None
    snr_db: float


@dataclass(frozen=True)
class TextCodec:
    """A codec of sentences on a data set."""

    dataset: str
    system: str
    name: str
    sides: Mapping[Condition, Side]
    facts: CodecFacts | None = None


def text_codecs(runs: Sequence[StoredRun]) -> list[TextCodec]:
    """Return the results of runs and evaluations."""
    facts = facts_of(runs)
    found: list[TextCodec] = []
    for member, draws in distinct_points(runs, BLEU_1).items():
        places: dict[Condition, dict[Draw, PointSummary]] = defaultdict(dict)
        for draw, point in draws.items():
            if (
                condition := _condition(point.channel, point.interference, point.snr_db)
            ) is not None:
                places[condition][draw] = point
        sides = {
            condition: Side(BLEU_1, pooled_points(of_place.values())[0], of_place)
            for condition, of_place in places.items()
        }
        known = facts.get(member.digest)
        found.append(TextCodec(member.dataset, member.system, member.codec, sides, known))
    return found


def text_codecs_of_results(results_csv: str, codecs: Iterable[CodecFacts]) -> list[TextCodec]:
    """Return the results from the `results.csv` of an evaluation and the codecs in its manifest.

    Raises:
        ValueError: a row has no score, or is of a task that is not installed.
    """
    facts = {(codec.dataset, codec.name): codec for codec in codecs}
    found: dict[tuple[str, str, str], dict[Condition, list[CurvePoint]]] = defaultdict(dict)
    for row in csv.DictReader(io.StringIO(results_csv)):
        kind, score = score_of(row)
        snr_db, met = float(row["snr_db"]), _met(row)
        condition = _condition(row["channel"], met, snr_db)
        if kind == KIND and condition is not None:
            sides = found[row["dataset"], row["system"], row["codec"]]
            sides.setdefault(condition, []).append(CurvePoint(snr_db=snr_db, score=score))
    return [
        TextCodec(
            dataset,
            system,
            name,
            {each: Side(BLEU_1, pooled_points(points)[0]) for each, points in sides.items()},
            facts.get((dataset, name)),
        )
        for (dataset, system, name), sides in found.items()
    ]


def _met(row: Mapping[str, str]) -> Interference | None:
    many = int(row.get("interferers") or 0)
    return Interference(interferers=many, sir_db=float(row["sir_db"])) if many else None


def _condition(label: str, met: Interference | None, snr_db: float) -> Condition | None:
    """Return the condition of a point over Rayleigh fading with the paper's interference."""
    if met is None:
        return Condition(0, None, snr_db) if label == CHANNEL else None
    if met.kind_label or label != f"{CHANNEL} {met.label}":
        return None
    return Condition(met.interferers, met.sir_db, snr_db)
