"""The command line of a training job, and the settings it asks for."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from orchestrator.training.effects import check_effects, check_options, keys_of
from orchestrator.training.given_codecs import given_codecs
from orchestrator.training.kd_semcom.effects import check_sentence_effects
from orchestrator.training.kd_semcom.presets import PRESETS as SENTENCE_PRESETS
from orchestrator.training.kd_semcom.presets import sentence_settings
from orchestrator.training.kd_semcom.settings import (
    SentenceStage,
    SentenceSystem,
    SentenceTrainingSettings,
)
from orchestrator.training.presets import PRESETS, settings_from_preset
from orchestrator.training.settings import StageName, TrainingSettings
from semcom.architecture import System
from semcom.checkpoints import CODECS_HERE, default_name
from semcom.errors import ConfigurationError
from semcom.settings import parse_yaml, read_yaml
from semcom.shards import DatasetManifest, read_manifest

MAX_RANKS = 256
KD_SEMCOM = "kd_semcom"


@dataclass(frozen=True)
class FamilyWords:
    """What `--preset`, `--system` and `--until` may say of a family; the first system is usual."""

    name: str
    presets: tuple[str, ...]
    systems: tuple[str, ...]
    stages: tuple[str, ...]


FAMILIES = {
    "rkd": FamilyWords("rkd", tuple(PRESETS), get_args(System), get_args(StageName)),
    KD_SEMCOM: FamilyWords(
        KD_SEMCOM, tuple(SENTENCE_PRESETS), get_args(SentenceSystem), get_args(SentenceStage)
    ),
}


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments of a job.

    `words` are those that every rank is given, `settings_words` those of them that decide what is
    trained.
    """
    ranks = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    ranks.add_argument("--nproc", type=_count, default=1, help="ranks on this host")
    ranks.add_argument("--nnodes", type=_count, default=1, help="hosts")
    ranks.add_argument("--rendezvous", metavar="HOST:PORT", help="where several hosts meet")
    ranks.add_argument(
        "--local-addr",
        metavar="HOST",
        help="this host as the others reach it; the one named in the rendezvous keeps the store",
    )
    placed, words = ranks.parse_known_args(argv)
    parser = argparse.ArgumentParser(
        prog="semcom train",
        description="Train a codec: the stages of a system, then export and evaluation.",
        parents=[ranks],
        allow_abbrev=False,
    )
    parser.add_argument(
        "dataset",
        nargs="?",
        default="shapes10",
        help="a prepared data set, as cifar10 (default: shapes10, which is drawn)",
    )
    family = _family(words)
    parser.add_argument(
        "--family", default=family.name, choices=FAMILIES, help="of the codec (default: rkd)"
    )
    parser.add_argument("--preset", default="compact", help=", ".join(family.presets))
    parser.add_argument("--system", default=family.systems[0], choices=family.systems)
    parser.add_argument("--name", help="the codec's name (default: DATASET-PRESET[-SYSTEM])")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of data sets")
    parser.add_argument("--work", type=Path, default=Path("training"), help="folder of artefacts")
    parser.add_argument("--out", type=Path, help="folder of the codec (default: codecs/NAME)")
    parser.add_argument("--config", type=Path, help="settings in YAML, laid over the preset")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any setting, by its path"
    )
    parser.add_argument("--until", choices=family.stages, help="end after this stage")
    parser.add_argument("--progress", type=Path, help="file of JSON lines (WORK/NAME/...)")
    arguments = parser.parse_args(words, placed)
    arguments.words = words
    lines = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    lines.add_argument("--progress")
    _, arguments.settings_words = lines.parse_known_args(words)
    return arguments


def _family(words: list[str]) -> FamilyWords:
    """The family that a command names, whose words the others are."""
    families = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    families.add_argument("--family", default="rkd")
    named = families.parse_known_args(words)[0].family
    return FAMILIES.get(named, FAMILIES["rkd"])


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_RANKS:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_RANKS}, got {text!r}")
    return int(text)


def settings_of(arguments: argparse.Namespace) -> TrainingSettings | SentenceTrainingSettings:
    """The settings that the arguments ask for: preset, then `--config`, then `--set`.

    Raises:
        ConfigurationError: an unknown preset, key or value, or no such data set.
    """
    manifest = _manifest(arguments.data / arguments.dataset)
    overrides = {} if arguments.config is None else read_yaml(arguments.config)
    commanded: dict[str, Any] = {}
    for assignment in arguments.set:
        _assign(overrides, assignment)
        _assign(commanded, assignment)
    check_options(overrides)
    written = keys_of(overrides)
    overrides |= {"data_dir": arguments.data, "work_dir": arguments.work}
    dataset, preset, system = arguments.dataset, arguments.preset, arguments.system
    name = arguments.name or default_name(dataset, preset, system)
    asked: dict[str, Any] = {"name": name, "system": system, "overrides": overrides}
    settings: TrainingSettings | SentenceTrainingSettings
    if arguments.family == KD_SEMCOM:
        settings = sentence_settings(preset, manifest, **asked)
        check_sentence_effects(settings, commanded=keys_of(commanded), until=arguments.until)
    else:
        settings = settings_from_preset(preset, manifest, **asked)
        commands = keys_of(commanded)
        check_effects(settings, written=written, commanded=commands, until=arguments.until)
        _check_out(settings, folder_to_write(arguments, name))
    if arguments.nnodes > 1 and not arguments.rendezvous:
        raise ConfigurationError("--nnodes: several hosts need --rendezvous HOST:PORT")
    _check_ranks(settings, arguments.nproc * arguments.nnodes)
    return settings


def _manifest(root: Path) -> DatasetManifest:
    manifest = read_manifest(root)
    if manifest.name != root.name:
        raise ConfigurationError(
            f"{root} holds data set '{manifest.name}'; call the folder by its name"
        )
    return manifest


def folder_to_write(arguments: argparse.Namespace, name: str) -> Path:
    """Where the codec goes."""
    return arguments.out or CODECS_HERE / name


def _check_out(settings: TrainingSettings, out: Path) -> None:
    for codec in given_codecs(settings).values():
        if codec.folder.resolve() == out.resolve():
            raise ConfigurationError(
                f"--name, --out: {out} is the codec that the training is to go on from"
            )


def _check_ranks(settings: TrainingSettings | SentenceTrainingSettings, ranks: int) -> None:
    for name, stage in settings.stages.items():
        if stage.batch % ranks:
            raise ConfigurationError(
                f"stages.{name}.batch: {stage.batch} items over {ranks} ranks leave a rest"
            )


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
        if not isinstance(overrides, dict):
            raise ConfigurationError(f"--set {assignment}: {parent} is a value, not a group")
    overrides[last] = parse_yaml(text, where=f"--set {assignment}")
