"""Runs of sentences with made-up answers: better at higher SNR and SIR, kept where asked for."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from orchestrator.plan.groups import PlannedGroup
from orchestrator.plan.plan import Plan, PlannedLink, PlannedPoint
from orchestrator.results.ledger import Ledger
from semcom.interference import Interference
from semcom.kept_answers import FOLDER, keep_answer
from semcom.points import ChannelSettings, PointSpec
from semcom.tasks.text import Text
from semcom.text_shards import TextShard, write_sentences
from semcom.vocabulary import FIRST_WORD, Vocabulary
from tests.orchestrator.ledgers import fake_codec, fake_plan, fake_result

RAYLEIGH = ChannelSettings(model="rayleigh")
SENTENCES, FRAME = 80, 4
WORDS = ("we", "you", "ask", "tell", "the", "a", "council", "house", "today", "&<b>", "not", ".")
# Share of words that a system gets right, as a shift in dB.
SYSTEMS = {"kd-t": ("teacher", 0.0), "kd-s2": ("student-2", 3.0), "kd-b2": ("baseline-2", -4.0)}


def text_set(data: Path, name: str = "talk") -> TextShard:
    """A data set of made-up sentences, 3 to 9 words each, all different."""
    dice = np.random.default_rng(7)
    rows = {
        " ".join(dice.choice(WORDS, dice.integers(3, 10)).tolist()) for _ in range(3 * SENTENCES)
    }
    texts = sorted(rows)[:SENTENCES]
    write_sentences(
        data / name,
        name=name,
        source="made up",
        vocabulary=Vocabulary(WORDS),
        splits={"train": texts[:4], "validation": texts[:4], "test": texts},
    )
    return TextShard(data / name, "test")


def text_task(shard: TextShard) -> Text:
    return Text(
        vocabulary=len(shard.vocabulary),
        vocabulary_sha256=shard.vocabulary.sha256,
        longest=shard.tokens_NL.shape[1] + 1,
    )


def text_plan(
    shard: TextShard,
    *,
    systems: Mapping[str, tuple[str, float]] = SYSTEMS,
    snr_db: Sequence[float] = (0.0, 9.0, 18.0),
    met: Sequence[Interference | None] = (None,),
    seeds: Sequence[int] = (0,),
) -> Plan:
    """Three links that interfere where there is interference; else one link."""
    links = ("east", "north", "west") if any(met) else ("talk",)
    codecs = [fake_codec(name, system) for name, (system, _) in systems.items()]
    plan = fake_plan(
        {
            link: PlannedLink(
                dataset=shard.manifest.name,
                dataset_digest=shard.digest,
                images=len(shard),
                codecs=codecs,
                offset=at * len(shard) // len(links),
            )
            for at, link in enumerate(links)
        },
        frame_images=FRAME,
    )
    points = [
        PlannedPoint(
            variant=variant,
            spec=PointSpec(channel=RAYLEIGH, snr_db=snr, seed=seed, interference=each),
        )
        for variant in range(len(codecs))
        for seed in seeds
        for each in met
        for snr in snr_db
    ]
    group = PlannedGroup(kind="interference", links=list(links), powers=[])
    groups = {"cell": group} if any(met) else {}
    return plan.model_copy(update={"points": points, "groups": groups})


def text_run(
    folder: Path,
    shard: TextShard,
    plan: Plan,
    *,
    systems: Mapping[str, tuple[str, float]] = SYSTEMS,
    keep: bool = False,
) -> Path:
    """A run folder whose frames are judged as a transmitter does."""
    folder.mkdir(parents=True, exist_ok=True)
    task = text_task(shard)
    tasks = {codec.digest: task for link in plan.links.values() for codec in link.codecs}
    ledger = Ledger(folder / "ledger.sqlite", plan, tasks=tasks)
    for link in plan.links:
        for index in plan.points_of(link):
            codec = plan.codec_at(link, index)
            results = []
            for frame in range(plan.frames(link)):
                references = shard.references(task, plan.items(link, frame))
                answers = _answered(
                    references.tokens_NL, plan.points[index].spec, systems[codec.name][1], task
                )
                content = task.form.format(answers)
                if keep:
                    keep_answer(folder / FOLDER, content, link=link, point=index, frame=frame)
                results.append(
                    fake_result(
                        plan, link, index, frame,
                        score=task.judge(answers, references), answer=task.kept(content),
                    )
                )  # fmt: skip
            ledger.record(link, codec.digest, results)
    ledger.close()
    return folder


def _answered(sent_NL: np.ndarray, spec: PointSpec, shift_db: float, task: Text) -> np.ndarray:
    """Sentences with some words replaced; one sentence is as hard in all seeds and systems."""
    met = spec.interference
    lost_db = 0.0 if met is None else 6.0 * met.interferers**0.5 * 10 ** (-met.sir_db / 20)
    answers = np.zeros((len(sent_NL), task.longest), np.uint16)
    for row, sent in zip(answers, sent_NL, strict=True):
        hard = zlib.crc32(sent.tobytes())
        dice = np.random.default_rng([hard, int(10 * spec.snr_db + 999), spec.seed])
        good = 1 / (1 + np.exp(-0.25 * (spec.snr_db + shift_db - lost_db - hard % 5)))
        words = sent.copy()
        wrong = (sent > 0) & (dice.random(len(sent)) > good)
        words[wrong] = dice.integers(FIRST_WORD, task.vocabulary, int(wrong.sum()))
        row[: len(words)] = words
    return answers
