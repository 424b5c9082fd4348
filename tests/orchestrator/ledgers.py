"""Small plans, and ledgers filled with made-up frames."""

from __future__ import annotations

import hashlib
import json
import math
from pathlib import Path

import numpy as np

from orchestrator.plan.plan import Plan, PlannedCodec, PlannedLink, PlannedPoint
from orchestrator.plan.scenario import Threads
from orchestrator.results.ledger import Ledger
from semcom.messages import FrameResult
from semcom.points import ChannelSettings, PointSpec
from semcom.tasks.classification import Classification
from semcom.tasks.reconstruction import MSE_STEP, PSNR_STEP_DB, SSIM_STEP, Reconstruction
from semcom.tasks.score import Score
from semcom.tasks.task import Task

RECONSTRUCTION = Reconstruction(shape=(32, 32, 3))
CHANNELS = (ChannelSettings(model="awgn"), ChannelSettings(model="rayleigh"))


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def fake_codec(name: str, system: str = "rkd-sc") -> PlannedCodec:
    return PlannedCodec(name=name, digest=sha256(name), system=system)


def fake_link(dataset: str, *codecs: PlannedCodec, images: int = 250) -> PlannedLink:
    return PlannedLink(
        dataset=dataset,
        dataset_digest=sha256(dataset),
        images=images,
        codecs=list(codecs or (fake_codec(f"{dataset}-rkd-sc"),)),
    )


def fake_plan(
    links: dict[str, PlannedLink] | None = None,
    *,
    run: str = "demo",
    channels=CHANNELS,
    snr_db=(-5.0, 2.5, 10.0),
    seeds=(0,),
    frame_images: int = 100,
) -> Plan:
    links = links or {"shapes10": fake_link("shapes10"), "shapes100": fake_link("shapes100")}
    return Plan(
        run=run,
        frame_images=frame_images,
        decoding="exact",
        threads=Threads(),
        links=links,
        points=[
            PlannedPoint(variant=variant, spec=PointSpec(channel=channel, snr_db=snr, seed=seed))
            for variant in range(max(len(link.codecs) for link in links.values()))
            for seed in seeds
            for channel in channels
            for snr in snr_db
        ],
    )


def fake_result(
    plan: Plan, link: str, point: int, frame: int, *, task: Task | None = None, **changes
) -> FrameResult:
    """A frame that rises with the SNR like a real one, the same at every call.

    It is of classification unless a task of reconstruction is named. `changes` are fields of the
    frame; `correct` and `predictions` stand for score and answer of classification.
    """
    rng = np.random.default_rng([list(plan.links).index(link), point, frame])
    images = plan.frame_size(link, frame)
    stages = {
        "encode_ms": 20.0 * rng.lognormal(0, 0.1),
        "channel_ms": 0.6 * rng.lognormal(0, 0.2),
        "batch_wait_ms": 1.5 * rng.lognormal(0, 0.3),
        "decode_ms": 8.0 * rng.lognormal(0, 0.1),
    }
    quality = _quality(plan, link, point)
    if {"score", "answer"} <= changes.keys():
        score, answer = changes.pop("score"), changes.pop("answer")
    elif isinstance(task, Reconstruction):
        score, answer = _images_score(rng, images, quality), rng.bytes(32)
    else:
        correct = int(rng.binomial(images, quality))
        answer = rng.integers(0, 10, images).astype("<u2").tobytes()
        score = {"items": changes.get("images", images), "correct": changes.pop("correct", correct)}
        answer = changes.pop("predictions", answer)
    return FrameResult(
        **{
            "point": point,
            "frame": frame,
            "images": images,
            "score": score,
            "answer": answer,
            "attempts": 1,
            "round_trip_ms": sum(stages.values()) - stages["encode_ms"] + 6 * rng.lognormal(0, 0.5),
            **stages,
            **changes,
        }
    )


def _images_score(rng: np.random.Generator, images: int, quality: float) -> Score:
    """Sums of reconstructed images, of which each is as good as the SNR lets it be."""
    psnr_N = 12.0 + 20.0 * quality + rng.normal(0, 2.0, images)
    mse_N = 255.0**2 / 10 ** (psnr_N / 10)
    ssim_N = np.clip(1.0 - np.sqrt(mse_N) / 80, 0.0, 1.0)
    sums: dict[str, int] = {}
    squares: dict[str, int] = {}
    for name, values, step in (
        ("psnr", psnr_N, PSNR_STEP_DB), ("ssim", ssim_N, SSIM_STEP), ("mse", mse_N, MSE_STEP),
    ):  # fmt: skip
        steps = [round(value / step) for value in values.tolist()]
        sums[name], squares[f"{name}_squares"] = sum(steps), sum(each * each for each in steps)
    return {"items": images, **sums, **squares}


def _quality(plan: Plan, link: str, point: int) -> float:
    """Chance at low SNR, a ceiling at high SNR; fading needs more and rises slower."""
    spec, system = plan.points[point].spec, plan.codec_at(link, point).system
    ceiling = (0.95, 0.75, 0.5)[list(plan.links).index(link) % 3]
    middle_db, slope = {"awgn": (-2.0, 0.45), "rayleigh": (3.0, 0.25)}.get(
        spec.channel.model, (1.0, 0.3)
    )
    middle_db += 0.0 if system == "rkd-sc" else 5.0
    return 0.05 + (ceiling - 0.05) / (1 + math.exp(-slope * (spec.snr_db - middle_db)))


def fake_tasks(plan: Plan, **links: Task) -> dict[str, Task]:
    """The task of each codec by its digest: that of its link, or classification."""
    return {
        codec.digest: links.get(name, Classification(classes=10))
        for name, link in plan.links.items()
        for codec in link.codecs
    }


def fill_ledger(folder: Path, plan: Plan, *, skip=frozenset(), changes=None, tasks=None) -> Path:
    """A run folder whose ledger holds every planned frame except `skip`.

    `skip` and the keys of `changes` are (link, point, frame); `changes` alters fields of a frame.
    `tasks` are those of the codecs by their digests; without them all classify.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(folder / "ledger.sqlite", plan, tasks=tasks)
    for link, settings in plan.links.items():
        for variant, codec in enumerate(settings.codecs):
            results = [
                fake_result(
                    plan, link, point, frame,
                    task=(tasks or {}).get(codec.digest), **(changes or {}).get(key, {}),
                )
                for point in plan.points_of(link)
                if plan.points[point].variant == variant
                for frame in range(plan.frames(link))
                if (key := (link, point, frame)) not in skip
            ]  # fmt: skip
            ledger.record(link, codec.digest, results)
    ledger.close()
    return folder


def write_manifest(folder: Path, plan: Plan, **content) -> None:
    """A manifest as a run leaves it."""
    base = {"run": plan.run, "plan_digest": plan.digest}
    (folder / "manifest.json").write_text(json.dumps(base | content))
