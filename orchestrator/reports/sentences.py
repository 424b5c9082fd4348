"""Example sentences at one SNR, as sent and as received by each system.

Answers are those kept by a run (`keep_answers: true`); references come from its data set.
Shape legend: N sentences of a point, S systems.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path
from statistics import median_low
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from orchestrator.reports.channel_titles import channel_title
from orchestrator.reports.comparison import Member, facts_of, labels_of, member_labels, member_order
from orchestrator.results.answers import read_answers
from orchestrator.results.item_sums import shard_of
from orchestrator.results.run_folder import StoredRun
from semcom.errors import SemcomError
from semcom.files import is_there
from semcom.kept_answers import FOLDER
from semcom.points import PointSpec
from semcom.tasks.text import BLEU_STEP, Text, bleu_columns, word_lists
from semcom.text_shards import TextShard

APART = 2  # examples in which systems differ most
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Received:
    """A sentence as received by a system; `wrong` marks words that differ from the sent ones."""

    series: str
    words: list[str]
    wrong: list[bool]
    bleu_1: float


@dataclass(frozen=True)
class Example:
    """A sentence and the reason why it is shown."""

    why: str
    sent: str
    received: list[Received]


@dataclass(frozen=True)
class Examples:
    """Sentences over one channel at one SNR, with one fading for all systems."""

    title: str
    examples: list[Example]


class _Place(NamedTuple):
    """A point of a link that several systems may share."""

    dataset: str
    digest: str
    link: str
    spec: PointSpec


class _Source(NamedTuple):
    """The place of the answers of a system."""

    run: StoredRun
    point: int


def has_sentences(runs: Sequence[StoredRun]) -> bool:
    """Return whether a run sent sentences."""
    return any(isinstance(task, Text) for run in runs for task in run.summary.tasks.values())


def sentence_examples(
    runs: Sequence[StoredRun], data: Path, *, snr_db: float | None = None
) -> list[Examples]:
    """Return examples of each data set, without and with interference.

    Args:
        runs: only those that kept their answers are read.
        data: folder of data sets.
        snr_db: the nearest SNR is shown; the middle one if None.
    """
    found = _sources(runs)
    labels = member_labels(
        dict.fromkeys(member for sources in found.values() for member in sources),
        facts_of(runs),
        labels_of(runs),
    )
    shown: list[Examples] = []
    for dataset in dict.fromkeys(place.dataset for place in found):
        places = [place for place in found if place.dataset == dataset]
        for place in _chosen(places, snr_db):
            sources = found[place]
            link = next(iter(sources.values())).run.summary.plan.links[place.link]
            shard = shard_of(link, data)
            if not isinstance(shard, TextShard):
                continue
            sent = np.roll(np.asarray(shard.tokens_NL[: link.images]), -link.offset, axis=0)
            members = sorted(sources, key=lambda member: member_order(member, labels))
            answers = {
                labels[member][0]: answered
                for member in members
                if (answered := _answers(sources[member], place.link)) is not None
            }
            if answers:
                title = f"{dataset}, {channel_title(place.spec.label)}, {place.spec.snr_db:g} dB"
                shown.append(Examples(title, _examples(sent, answers, shard)))
    return shown


def _sources(runs: Sequence[StoredRun]) -> dict[_Place, dict[Member, _Source]]:
    """Return the kept answers to sentences, by point and codec."""
    found: dict[_Place, dict[Member, _Source]] = defaultdict(dict)
    for run in runs:
        if not is_there(run.folder / FOLDER):
            continue
        plan = run.summary.plan
        incomplete = {(each.link, each.point) for each in run.summary.incomplete}
        for name, link in plan.links.items():
            for index in plan.points_of(name):
                if (name, index) in incomplete:
                    continue
                if not isinstance(run.summary.task_of(name, index), Text):
                    continue
                codec, spec = plan.codec_at(name, index), plan.points[index].spec
                place = _Place(link.dataset, link.dataset_digest, name, spec)
                member = Member(link.dataset, codec.system, codec.name, codec.digest)
                found[place].setdefault(member, _Source(run, index))
    return found


def _chosen(places: Sequence[_Place], snr_db: float | None) -> Iterator[_Place]:
    """Yield one place without interference and one with it: first link and seed, middle SIR."""
    snrs_db = sorted({place.spec.snr_db for place in places})
    wanted = median_low(snrs_db) if snr_db is None else snr_db
    nearest = min(snrs_db, key=lambda each: (abs(each - wanted), each))
    at_snr = [place for place in places if place.spec.snr_db == nearest]
    yield from [place for place in at_snr if place.spec.interference is None][:1]
    met = [place for place in at_snr if place.spec.interference is not None]
    sirs_db = sorted({each.spec.interference.sir_db for each in met if each.spec.interference})
    if sirs_db:
        middle = median_low(sirs_db)
        yield from [
            each
            for each in met
            if each.spec.interference and each.spec.interference.sir_db == middle
        ][:1]


def _answers(source: _Source, link: str) -> npt.NDArray[np.uint16] | None:
    """Return kept answers (N, L); None if they are damaged, which `semcom verify` reports."""
    try:
        return read_answers(source.run.folder, link=link, point=source.point)
    except SemcomError:
        return None


def _examples(
    sent_NL: npt.NDArray[np.uint16],
    answers: dict[str, npt.NDArray[np.uint16]],
    shard: TextShard,
) -> list[Example]:
    sent = word_lists(sent_NL)
    answered = {series: word_lists(each) for series, each in answers.items()}
    values_SN = np.array(
        [bleu_columns(each, sent)["bleu_1"] for each in answered.values()]
    ) * BLEU_STEP  # fmt: skip
    return [
        Example(
            why,
            shard.vocabulary.text(sent[at]),
            [
                _received(series, each[at], sent[at], shard, bleu_1=float(values_N[at]))
                for (series, each), values_N in zip(answered.items(), values_SN, strict=True)
            ],
        )
        for at, why in _worth_seeing(values_SN, np.array([len(each) for each in sent])).items()
    ]


def _worth_seeing(values_SN: Values, words_N: npt.NDArray[np.int64]) -> dict[int, str]:
    """Return numbers of sentences with the reason: most different, worst, median and best.

    Longest first.
    """
    mean_N = values_SN.mean(axis=0)
    chosen: dict[int, str] = {}
    if len(values_SN) > 1:
        spread_N = values_SN.max(axis=0) - values_SN.min(axis=0)
        for at in np.lexsort((-words_N, -spread_N))[:APART]:
            if spread_N[at] > 0:
                chosen[int(at)] = "systems differ most"
    for why, distance_N in (
        ("worst", mean_N),
        ("median", np.abs(mean_N - np.median(mean_N))),
        ("best", -mean_N),
    ):
        order = (int(at) for at in np.lexsort((-words_N, distance_N)))
        if (at := next((at for at in order if at not in chosen), None)) is not None:
            chosen[at] = why
    return chosen


def _received(
    series: str, words: list[int], sent: list[int], shard: TextShard, *, bleu_1: float
) -> Received:
    wrong = [True] * len(words)
    for block in SequenceMatcher(None, sent, words, autojunk=False).get_matching_blocks():
        wrong[block.b : block.b + block.size] = [False] * block.size
    return Received(series, [shard.vocabulary.text([each]) for each in words], wrong, bleu_1)
