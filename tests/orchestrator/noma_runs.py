"""Runs of superposed images with made-up answers: each system better than another by some dB."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from orchestrator.measures.kinds import LPIPS
from orchestrator.measures.values import MeasuredValues, MeasureRecord, places_of
from orchestrator.plan.groups import PlannedGroup
from orchestrator.plan.plan import PlannedCodec, PlannedLink
from orchestrator.results.run_folder import read_run
from semcom.shards import Shard, write_dataset
from semcom.tasks.reconstruction import Reconstruction
from tests.orchestrator.kept_runs import write_kept
from tests.orchestrator.ledgers import CHANNELS, fake_codec, fake_plan, write_manifest

IMAGES, FRAME, SIDE = 80, 4, 12
# Less noise by so many dB, and a factor of LPIPS.
SYSTEMS = {
    "semnoma-teacher": (3.0, 1.0), "oma": (-2.0, 1.0), "kd-semnoma": (0.5, 1.0),
    "semnoma": (0.0, 1.0), "kd-semnoma-diffusion": (0.3, 0.7), "kd-semnoma-cgan": (0.3, 1.3),
    "digital-webp": (-4.0, 1.0),
}  # fmt: skip
ALONE = ("semnoma-teacher", "oma", "digital-webp")
SLOT = ("kd-semnoma", "semnoma", "kd-semnoma-diffusion", "kd-semnoma-cgan")


def noma_run(
    folder: Path,
    data: Path,
    *,
    seeds: Sequence[int] = (0,),
    snr_db: Sequence[float] = (0.0, 5.0, 10.0),
    gains: Mapping[str, float] = {},
    perceptual: bool = True,
) -> Path:
    """Write a run of a link by itself and two users of a slot, on a data set called cifar10.

    Args:
        folder: of the run.
        data: folder of the data set.
        seeds: of trainings; each system has a codec for each.
        snr_db: of the points.
        gains: dB of some systems, instead of those of SYSTEMS.
        perceptual: whether LPIPS was measured.
    """
    shard = _data_set(data)
    links = {"alone": _link(shard, ALONE, seeds, 0), "east": _link(shard, SLOT, seeds, 0)}
    links["west"] = _link(shard, SLOT, seeds, IMAGES // 2)
    plan = fake_plan(links, run="noma.01234567", channels=CHANNELS, snr_db=snr_db)
    plan = plan.model_copy(update={"frame_images": FRAME})
    group = PlannedGroup(kind="superposition", links=["east", "west"], powers=[0.5, 0.5])
    plan = plan.model_copy(update={"groups": {"cell": group}})

    def answered(sent: np.ndarray, link: str, point: int, frame: int) -> np.ndarray:
        system, spec = plan.codec_at(link, point).system, plan.points[point].spec
        dice = np.random.default_rng([point, frame, len(link)])
        less_db = gains.get(system, SYSTEMS[system][0]) + 0.6 * spec.snr_db
        noisy = sent + dice.normal(0, 30 * 10 ** (-less_db / 20), sent.shape)
        return noisy.round().clip(0, 255).astype(np.uint8)

    write_kept(folder, plan, shard, Reconstruction(shape=(SIDE, SIDE, 3)), answered)
    codecs = {codec.digest: codec for link in links.values() for codec in link.codecs}
    write_manifest(
        folder, plan, kind="evaluation", codecs=[_facts(codec) for codec in codecs.values()]
    )
    if perceptual:
        _write_lpips(folder)
    return folder


def _data_set(data: Path) -> Shard:
    dice = np.random.default_rng(1)
    images = dice.integers(60, 200, (IMAGES, SIDE, SIDE, 3), dtype=np.uint8)
    split = images, np.zeros(IMAGES, np.uint16)
    write_dataset(data / "cifar10", name="cifar10", classes=[], source="x", splits={"test": split})
    return Shard(data / "cifar10", "test")


def _link(shard: Shard, systems: Sequence[str], seeds: Sequence[int], offset: int) -> PlannedLink:
    codecs = [_codec(system, seed) for system in systems for seed in seeds]
    return PlannedLink(
        dataset="cifar10", dataset_digest=shard.digest, images=IMAGES, offset=offset, codecs=codecs
    )


def _codec(system: str, seed: int) -> PlannedCodec:
    return fake_codec(f"{system}-s{seed}" if seed else system, system)


def _facts(codec: PlannedCodec) -> dict[str, Any]:
    seed = int(codec.name.rpartition("-s")[2]) if codec.name != codec.system else 0
    base = codec.system.removesuffix("-diffusion").removesuffix("-cgan")
    refines = {} if base == codec.system else {"init_from": _codec(base, seed).digest}
    return {
        "name": codec.name, "digest": codec.digest, "dataset": "cifar10", "system": codec.system,
        "symbols": 256 if codec.system == "oma" else 512, "source_values": 3 * SIDE * SIDE,
        "parameters": {}, "training_seed": seed, **refines,
    }  # fmt: skip


def _write_lpips(folder: Path) -> None:
    run = read_run(folder)
    stored = MeasuredValues(folder, LPIPS)
    stored.begin(
        MeasureRecord(measure="lpips", results_digest=run.results_digest, weights={}, versions={})
    )
    plan = run.summary.plan
    for link, point in places_of(run, "reconstruction"):
        spec, system = plan.points[point].spec, plan.codec_at(link, point).system
        mean = 0.3 * 10 ** (-spec.snr_db / 25) * SYSTEMS[system][1]
        values = np.random.default_rng([point, len(link)]).normal(mean, 0.01, IMAGES)
        stored.keep(values.clip(0.001), link=link, point=point)
