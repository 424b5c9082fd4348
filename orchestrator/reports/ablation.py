"""Ablation of loss terms (Table II of Liu et al.): trainings that differ only in omitted terms.

Manifests state the weights of a student's loss terms. A codec with a subset of another's terms, the
same weights and otherwise the same training is its ablation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.reports.channel_titles import interferers_title
from orchestrator.reports.markup import NOTHING
from orchestrator.reports.tables import ReportTable
from orchestrator.reports.text_evidence import Condition, TextCodec
from orchestrator.reports.verdicts import Measured, around, verdict_of
from semcom.tasks.text import BLEU_1

SYMBOLS = {"p_hat": "p^", "t_hat": "t^", "s_hat": "s^", "cross_entropy": "CE"}
ALONE, MET = (0, None), (1, 10.0)  # interferers and their SIR in Table II
# Table II: change in percent by the terms left out, and by condition.
PRINTED: dict[frozenset[str], dict[Condition, float]] = {
    frozenset(terms): {
        Condition(*met, snr_db): value
        for (met, snr_db), value in zip(
            ((ALONE, 6.0), (ALONE, 15.0), (MET, 6.0), (MET, 15.0)), values, strict=True
        )
    }
    for terms, values in (
        (("s_hat",), (-5.16, -2.25, -5.11, -1.07)),
        (("x", "t_hat"), (-6.08, -4.62, -5.73, -1.45)),
        (("p", "p_hat"), (-5.08, -6.35, -0.89, -1.18)),
        (("cross_entropy",), (-18.63, -12.59, -11.71, -6.44)),
    )
}
HEAD = [
    "codec", "without", "interference", "Es/N0 (dB)", "BLEU-1 with all terms", "change", "paper",
    "verdict",
]  # fmt: skip
NOTE = (
    "Change of BLEU-1 without the terms, relative to the codec with all of them, on the same "
    "sentences and draws, with 95 % intervals. Verdicts are on the paper's claim that BLEU is "
    "lower without them: reproduced, the whole interval is below 0; refuted, it is above; not "
    "distinguishable, it contains 0. Each codec is from one training: another training seed "
    "may change a codec by more than its interval."
)


def ablation_tables(codecs: Sequence[TextCodec]) -> list[ReportTable]:
    """Return a table per data set; nothing if no codec is an ablation of another one."""
    tables: list[ReportTable] = []
    for dataset in dict.fromkeys(codec.dataset for codec in codecs):
        rows = [
            row
            for full in codecs
            for other in codecs
            if full.dataset == other.dataset == dataset
            if (terms := left_out(full.facts, other.facts))
            for row in _rows(full, other, terms)
        ]
        if rows:
            title = f"{dataset}: ablation of loss terms"
            tables.append(ReportTable(title=title, head=HEAD, rows=rows, note=NOTE))
    return tables


def without_ablations(codecs: Sequence[TextCodec]) -> list[TextCodec]:
    """Return the codecs that are not ablations of another one."""
    return [
        codec for codec in codecs if not any(left_out(full.facts, codec.facts) for full in codecs)
    ]


def left_out(full: CodecFacts | None, other: CodecFacts | None) -> frozenset[str]:
    """Return the loss terms without which a codec was trained; empty if there are none."""
    if full is None or other is None or full.loss_terms is None or other.loss_terms is None:
        return frozenset()
    alike = full.trained_beside == other.trained_beside and full.trained_beside is not None
    if not alike or not other.loss_terms.items() <= full.loss_terms.items():
        return frozenset()
    return frozenset(full.loss_terms.keys() - other.loss_terms.keys())


def _rows(full: TextCodec, other: TextCodec, terms: frozenset[str]) -> Iterator[list[str]]:
    printed = PRINTED.get(terms, {})
    for condition in sorted(full.sides.keys() & other.sides.keys(), key=_order):
        change = other.sides[condition].change_from(full.sides[condition])
        if change is None:
            continue
        paper = printed.get(condition)
        lower = around(-change[0], change[1])
        yield [
            full.name,
            ", ".join(SYMBOLS.get(term, term) for term in sorted(terms)),
            _interference(condition),
            f"{condition.snr_db:g}",
            BLEU_1.number(full.sides[condition].estimate[0]),
            _signed(around(*change)),
            NOTHING if paper is None else f"{paper:+.2f} %",
            NOTHING if paper is None else verdict_of(lower, 0.0),
        ]


def _order(condition: Condition) -> tuple[int, float, float]:
    return condition.interferers, condition.sir_db or 0.0, condition.snr_db


def _interference(condition: Condition) -> str:
    if condition.sir_db is None:
        return "none"
    return f"{interferers_title(condition.interferers)} of SIR {condition.sir_db:g} dB"


def _signed(measured: Measured) -> str:
    value, low, high = (100 * each for each in (measured.value, measured.low, measured.high))
    return f"{value:+.2f} % ({low:+.2f} to {high:+.2f})"
