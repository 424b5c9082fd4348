"""A complete run whose answers can be judged: with its data set, its files and its seals."""

from __future__ import annotations

import json
import shutil
import sqlite3
from pathlib import Path

import numpy as np

from orchestrator.plan.codec_facts import CodecFacts, tasks_of
from orchestrator.plan.plan import Plan, PlannedLink
from orchestrator.plan.scenario import Scenario
from orchestrator.results.ledger import Ledger
from orchestrator.results.run_end import write_results
from semcom.shards import Shard, write_dataset
from semcom.tasks.classification import Classification
from tests.orchestrator.ledgers import fake_codec, fake_plan, fake_result

CLASSES = {"ten": 10, "hundred": 100}
IMAGES, FRAME_IMAGES = 12, 5


def write_labelled(data: Path) -> None:
    """Two small data sets."""
    rng = np.random.default_rng(5)
    for name, classes in CLASSES.items():
        write_dataset(
            data / name,
            name=name,
            classes=[str(label) for label in range(classes)],
            source="made up",
            splits={
                "test": (
                    rng.integers(0, 256, (IMAGES + 2, 8, 8, 3)).astype(np.uint8),
                    rng.integers(0, classes, IMAGES + 2).astype(np.uint16),
                )
            },
        )


def judged_plan(data: Path, **changes) -> Plan:
    links = {
        name: PlannedLink(
            dataset=name,
            dataset_digest=Shard(data / name, "test").digest,
            images=IMAGES,
            codecs=[fake_codec(f"{name}-codec")],
        )
        for name in CLASSES
    }
    return fake_plan(
        links, run="judged.01234567", snr_db=(0.0, 10.0), frame_images=FRAME_IMAGES, **changes
    )


def scenario_of(plan: Plan) -> Scenario:
    """A scenario that comes to this plan."""
    specs = [point.spec for point in plan.points]
    return Scenario(
        name=plan.name,
        links={
            name: {"dataset": link.dataset, "codecs": [codec.name for codec in link.codecs]}
            for name, link in plan.links.items()
        },
        channels=list(dict.fromkeys(spec.channel for spec in specs)),
        snr_db=list(dict.fromkeys(spec.snr_db for spec in specs)),
        seeds=list(dict.fromkeys(spec.seed for spec in specs)),
        images=IMAGES,
        frame_images=plan.frame_images,
    )


def facts_of(plan: Plan) -> list[CodecFacts]:
    return [
        CodecFacts(
            name=codec.name, digest=codec.digest, dataset=link.dataset, system=codec.system,
            compression_ratio=0.5, feature_dim=8, codeword_dim=4, symbols=2,
            parameters={"encoder": 1}, classes=CLASSES[name],
            task=Classification(classes=CLASSES[name]),
        )
        for name, link in plan.links.items() for codec in link.codecs
    ]  # fmt: skip


def write_judged_run(folder: Path, data: Path) -> Plan:
    """Every planned frame, judged by its labels, and what a run leaves beside them."""
    plan = judged_plan(data)
    folder.mkdir(parents=True)
    facts = facts_of(plan)
    ledger = Ledger(folder / "ledger.sqlite", plan, tasks=tasks_of(facts))
    for name in plan.links:
        labels_N = Shard(data / name, "test").labels_N
        rng = np.random.default_rng(CLASSES[name])
        results = []
        for point in plan.points_of(name):
            for frame in range(plan.frames(name)):
                size = plan.frame_size(name, frame)
                right_N = labels_N[frame * FRAME_IMAGES : frame * FRAME_IMAGES + size]
                guessed_N = np.where(
                    rng.random(size) < 0.6, right_N, rng.integers(0, CLASSES[name], size)
                ).astype("<u2")
                correct = int((guessed_N == right_N).sum())
                score = {"items": size, "correct": correct}
                changes = {"answer": guessed_N.tobytes(), "score": score}
                results.append(fake_result(plan, name, point, frame, **changes))
        ledger.record(name, plan.codec_at(name, 0).digest, results)
    write_results(ledger, scenario_of(plan), facts, seconds=1.0)
    ledger.close()
    return plan


def seal_again(folder: Path) -> None:
    """What somebody does who alters a run and knows how it is sealed."""
    with sqlite3.connect(folder / "ledger.sqlite") as database:
        database.execute("DROP TABLE seals")
    for name in ("manifest.json", "results.csv"):
        (folder / name).unlink(missing_ok=True)
    ledger = Ledger(folder / "ledger.sqlite")
    plan = ledger.plan
    ledger.close()
    again = Ledger(folder / "ledger.sqlite", plan)
    write_results(again, scenario_of(plan), facts_of(plan), seconds=1.0)
    again.close()


def without_seals(folder: Path) -> None:
    """The run as an earlier version would have left it."""
    with sqlite3.connect(folder / "ledger.sqlite") as database:
        database.execute("DROP TABLE seals")
        database.execute("DROP TABLE classes")
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["scores_digest"], manifest["ledger_digest"]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def copied(folder: Path, target: Path) -> Path:
    """A copy to alter, in place of an earlier one."""
    shutil.rmtree(target, ignore_errors=True)
    return Path(shutil.copytree(folder, target))
