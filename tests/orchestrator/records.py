"""Made-up searches, footprints and codec facts, as jobs and evaluations leave them."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from orchestrator.plan.codec_facts import CodecFacts
from orchestrator.reports.search_history import parameters_at_full_width
from tests.orchestrator.ledgers import sha256

SELECTED = {"kdl-darts": (3, 3, 4, 1), "darts": (5, 3, 5, 3)}


def fake_search(
    dataset: str = "cifar10", method: str = "kdl-darts", *, seed: int = 0, epochs: int = 30
) -> dict:
    """A search whose alphas part slowly, towards the depths in SELECTED."""
    rng = np.random.default_rng([seed, len(method)])
    wanted = np.array(SELECTED[method])
    pull = -0.12 * (np.arange(1, 6)[None, :] - wanted[:, None]) ** 2
    noise = rng.normal(0, 0.004, (epochs, 4, 5)).cumsum(axis=0)
    found = []
    for epoch in range(epochs):
        alpha = pull * (1 - math.exp(-epoch / 10)) + noise[epoch]
        shares = np.exp(alpha) / np.exp(alpha).sum(axis=1, keepdims=True)
        depths = [int(depth) for depth in alpha.argmax(axis=1) + 1]
        found.append(
            {
                "epoch": epoch,
                "alpha": alpha.tolist(),
                "probabilities": shares.tolist(),
                "depths": depths,
                "parameters": parameters_at_full_width(tuple(depths)),
                "validation_accuracy": 0.9 - 0.5 * math.exp(-epoch / 8),
                "losses": {"kd": 0.5},
            }
        )
    last = {key: found[-1][key] for key in ("depths", "parameters", "validation_accuracy")}
    return {"dataset": dataset, "method": method, "seed": seed, "epochs": found, **last}


def write_search(folder: Path, **settings) -> Path:
    """A folder with `search.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "search.json").write_text(json.dumps(fake_search(**settings)))
    return folder


def fake_footprint(name: str = "cifar10", **changes) -> dict:
    """A footprint of round numbers."""
    timing = {"median_ms": 4.0, "min_ms": 3.5, "max_ms": 6.0, "runs": 100}
    return {
        "name": name,
        "dataset": "cifar10",
        "system": "rkd-sc",
        "digest": sha256(name),
        "input_size": 32,
        "depths": [3, 4, 4, 1],
        "parameters": {
            "encoder": 1_900_000, "channel_encoder": 100_000, "decoder": 2_000_000, "head": 5130,
        },
        "idle_parameters": {"encoder": 0, "channel_encoder": 525_312, "decoder": 0, "head": 0},
        "teacher_parameters": 20_000_000,
        "flops": {"encoder": 99_000_000, "channel_encoder": 1_000_000, "decoder": 5, "head": 5},
        "encode_1": timing,
        "encode_100": {key: 25 * value for key, value in timing.items()},
        **changes,
    }  # fmt: skip


def write_footprints(folder: Path, *footprints: dict) -> Path:
    """A folder with `footprint.json`."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "torch": "2.10.0",
        "processor": "A <quick> one",
        "threads": 1,
        "footprints": list(footprints or (fake_footprint(),)),
    }
    (folder / "footprint.json").write_text(json.dumps(content))
    return folder


def fake_facts(name: str, dataset: str, *, ratio: float = 0.8, system: str = "rkd-sc") -> dict:
    """What a manifest tells of a codec of `ledgers.fake_codec`."""
    codeword = math.floor(512 * (1 - ratio))
    return CodecFacts(
        name=name,
        digest=sha256(name),
        dataset=dataset,
        system=system,
        compression_ratio=ratio,
        feature_dim=512,
        codeword_dim=codeword,
        symbols=-(-codeword // 2),
        parameters={"encoder": 1, "channel_encoder": 2, "decoder": 3, "head": 4},
        teacher_parameters=50,
    ).model_dump(mode="json")
