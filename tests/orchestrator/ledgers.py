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


def fake_result(plan: Plan, link: str, point: int, frame: int, **changes) -> FrameResult:
    """A frame that rises with the SNR like a real one, the same at every call."""
    rng = np.random.default_rng([list(plan.links).index(link), point, frame])
    images = plan.frame_size(link, frame)
    stages = {
        "encode_ms": 20.0 * rng.lognormal(0, 0.1),
        "channel_ms": 0.6 * rng.lognormal(0, 0.2),
        "batch_wait_ms": 1.5 * rng.lognormal(0, 0.3),
        "decode_ms": 8.0 * rng.lognormal(0, 0.1),
    }
    return FrameResult(
        **{
            "point": point,
            "frame": frame,
            "images": images,
            "score": {
                "items": images,
                "correct": int(rng.binomial(images, _accuracy(plan, link, point))),
            },
            "answer": rng.integers(0, 10, images).astype("<u2").tobytes(),
            "attempts": 1,
            "round_trip_ms": sum(stages.values()) - stages["encode_ms"] + 6 * rng.lognormal(0, 0.5),
            **stages,
            **changes,
        }
    )


def _accuracy(plan: Plan, link: str, point: int) -> float:
    """Chance at low SNR, a ceiling at high SNR; fading needs more and rises slower."""
    spec, system = plan.points[point].spec, plan.codec_at(link, point).system
    ceiling = (0.95, 0.75, 0.5)[list(plan.links).index(link) % 3]
    middle_db, slope = {"awgn": (-2.0, 0.45), "rayleigh": (3.0, 0.25)}.get(
        spec.channel.model, (1.0, 0.3)
    )
    middle_db += 0.0 if system == "rkd-sc" else 5.0
    return 0.05 + (ceiling - 0.05) / (1 + math.exp(-slope * (spec.snr_db - middle_db)))


def fill_ledger(folder: Path, plan: Plan, *, skip=frozenset(), changes=None) -> Path:
    """A run folder whose ledger holds every planned frame except `skip`.

    `skip` and the keys of `changes` are (link, point, frame); `changes` alters fields of a frame.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ledger = Ledger(folder / "ledger.sqlite", plan)
    for link, settings in plan.links.items():
        for variant, codec in enumerate(settings.codecs):
            results = [
                fake_result(plan, link, point, frame, **(changes or {}).get(key, {}))
                for point in plan.points_of(link)
                if plan.points[point].variant == variant
                for frame in range(plan.frames(link))
                if (key := (link, point, frame)) not in skip
            ]
            ledger.record(link, codec.digest, results)
    ledger.close()
    return folder


def write_manifest(folder: Path, plan: Plan, **content) -> None:
    """A manifest as a run leaves it."""
    base = {"run": plan.run, "plan_digest": plan.digest}
    (folder / "manifest.json").write_text(json.dumps(base | content))
