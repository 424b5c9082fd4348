"""Small trainings of the family `semnoma`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchestrator.training.semnoma.pipeline import SemnomaPipeline, SemnomaTrained
from orchestrator.training.semnoma.presets import settings_from_preset
from orchestrator.training.semnoma.settings import SemnomaSettings, StageName
from semcom.shards import read_manifest
from tests.orchestrator.training.harness import run_here

SMALL: dict[str, Any] = {
    "images": 40,
    "precision": "fp32",
    "architecture": {"widths": [8, 16], "channels": 4},
    "stages": {
        name: {"epochs": 2, "batch": 8} for name in ("teacher", "semnoma", "kd_semnoma", "oma")
    },
}


def small_settings(data_dir: Path, work_dir: Path, **overrides: Any) -> SemnomaSettings:
    """A job of seconds on drawn images."""
    system = overrides.pop("system", "kd-semnoma")
    laid = {**SMALL, "data_dir": data_dir, "work_dir": work_dir, **overrides}
    return settings_from_preset(
        "embedded", read_manifest(data_dir / "shapes10"), name="tiny", system=system, overrides=laid
    )


def train(
    settings: SemnomaSettings, stop_after: int | None = None
) -> tuple[SemnomaTrained, list[tuple[StageName, bool]]]:
    """Run a job here; also which stages were run (True) or taken over (False)."""
    told: list[tuple[StageName, bool]] = []
    pipeline = SemnomaPipeline(settings, run_here(settings.seed, stop_after))
    trained = pipeline.train(lambda stage, ran: told.append((stage, ran)))
    assert trained is not None
    return trained, told
