"""`python -m orchestrator.training DATASET`: one training job; `semcom train` starts it."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import Any

import torch
import yaml
from pydantic import ValidationError
from rich.console import Console

from orchestrator.training.distill import make_job, run_stages
from orchestrator.training.export import export_codec
from orchestrator.training.presets import PRESETS, settings_from_preset
from orchestrator.training.settings import StageName, TrainingSettings
from semcom.errors import ConfigurationError, SemcomError
from semcom.shards import read_manifest

console = Console(stderr=True)


def main(argv: list[str] | None = None) -> int:
    """Run a job; returns the exit code."""
    arguments = _parse(sys.argv[1:] if argv is None else argv)
    try:
        _run(arguments)
    except SemcomError as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False)
        return error.exit_code
    except KeyboardInterrupt:
        console.print("stopped; the same command goes on from the last finished epoch")
        return 130
    return 0


def _run(arguments: argparse.Namespace) -> None:
    settings = _settings(arguments)
    torch.set_num_threads(settings.threads or torch.get_num_threads())
    bf16 = settings.precision == "bf16" or (settings.precision == "auto" and _has_bf16())
    job = make_job(settings, bf16=bf16)
    console.print(f"{settings.name}: {len(job.images)} images of {settings.dataset}, bf16 {bf16}")
    run_stages(job, _report)
    command = "semcom train " + shlex.join(sys.argv[1:])
    checkpoint = export_codec(job, arguments.out or Path("codecs") / settings.name, command=command)
    results = checkpoint.manifest.results
    console.print(
        f"wrote {checkpoint.folder}: noise-free accuracy {results['noise_free_accuracy']:.4f}, "
        f"AWGN by SNR {results['awgn_accuracy_by_snr_db']}"
    )


def _report(stage: StageName, was_run: bool) -> None:
    console.print(f"{stage}: {'done' if was_run else 'taken from an earlier run'}")


def _settings(arguments: argparse.Namespace) -> TrainingSettings:
    manifest = read_manifest(arguments.data / arguments.dataset)
    overrides: dict[str, Any] = {"data_dir": arguments.data, "work_dir": arguments.work}
    for assignment in arguments.set:
        _assign(overrides, assignment)
    try:
        return settings_from_preset(
            arguments.preset,
            manifest,
            name=arguments.name or f"{arguments.dataset}-{arguments.preset}",
            overrides=overrides,
        )
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigurationError(f"{where}: {first['msg']}") from error


def _assign(overrides: dict[str, Any], assignment: str) -> None:
    """Lay `a.b.c=value` (value as in YAML) into nested dictionaries."""
    path, separator, text = assignment.partition("=")
    if not separator:
        raise ConfigurationError(
            f"--set {assignment}: expected KEY=VALUE, as stages.stage1.epochs=3"
        )
    *parents, last = path.split(".")
    for parent in parents:
        overrides = overrides.setdefault(parent, {})
    overrides[last] = yaml.safe_load(text)


def _has_bf16() -> bool:
    """Whether the processor multiplies bf16 itself; emulated bf16 is slower than float32."""
    capability = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    return bool(capability.get("avx512_bf16") or capability.get("amx_bf16"))


def _parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="semcom train", description=__doc__)
    parser.add_argument("dataset", help="a prepared data set, as cifar10 or shapes10")
    parser.add_argument("--preset", default="compact", help=", ".join(PRESETS))
    parser.add_argument("--name", help="the codec's name (default: DATASET-PRESET)")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of data sets")
    parser.add_argument("--work", type=Path, default=Path("training"), help="folder of artefacts")
    parser.add_argument("--out", type=Path, help="folder of the codec (default: codecs/NAME)")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any setting, by its path"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
