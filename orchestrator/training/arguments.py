"""The command line of a training job, and the resulting settings."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from orchestrator.training.asked import Asked
from orchestrator.training.effects import check_options, keys_of
from orchestrator.training.settings import JobSettings
from orchestrator.training.trained_families import FAMILIES
from semcom.checkpoints import CODECS_HERE, default_name
from semcom.errors import ConfigurationError
from semcom.settings import parse_yaml, read_yaml
from semcom.shards import DatasetManifest, read_manifest

MAX_RANKS = 256
WAIT_S = 50  # so that hosts that cannot connect end within a minute
MAX_WAIT_S = 7 * 24 * 3600
ALL_SYSTEMS = [system for family in FAMILIES.values() for system in family.systems]
TRAIN, SEARCH = "train", "search"
ABOUT = {
    TRAIN: (
        "Train a codec: run the stages of a system, then export and evaluate the codec. The\n"
        "same command resumes an interrupted training run.",
        "  semcom train shapes10 --preset smoke\n"
        "  semcom train cifar10 --name mine --set stages.stage1.epochs=30",
    ),
    SEARCH: (
        "Search for the depths of the encoder's stages with KDL-DARTS, or with DARTS by\n"
        "--set search.method=darts. The same command resumes an interrupted search.",
        "  semcom search cifar10\n"
        "  semcom search cifar10 --set search.method=darts --set search.seed=1",
    ),
}
ALL_STAGES = dict.fromkeys(stage for family in FAMILIES.values() for stage in family.stages)


def parse(argv: list[str]) -> argparse.Namespace:
    """Return the arguments of a job.

    `words` are given to every rank; `settings_words` are those of them that decide what is trained.
    """
    placed, words = _ranks_parser().parse_known_args(argv)
    parser = parser_of(as_typed(words)[0])
    arguments = parser.parse_args(words, placed)
    arguments.words = words
    if arguments.command == SEARCH:
        arguments.until = SEARCH
    family = arguments.family or next(
        (name for name, each in FAMILIES.items() if arguments.system in each.systems), "rkd"
    )
    systems = FAMILIES[family].systems
    arguments.system = arguments.system or systems[0]
    if arguments.system not in systems:
        parser.error(f"--system {arguments.system}: family {family} has {', '.join(systems)}")
    arguments.family = family
    lines = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    lines.add_argument("--progress")
    _, arguments.settings_words = lines.parse_known_args(words)
    return arguments


def parser_of(command: str) -> argparse.ArgumentParser:
    """Return the parser of `semcom train` or `semcom search`."""
    about, example = ABOUT[command]
    parser = argparse.ArgumentParser(
        prog=f"semcom {command}",
        description=about,
        epilog=f"Examples:\n{example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        parents=[_ranks_parser()],
        allow_abbrev=False,
    )
    parser.add_argument("--command", choices=ABOUT, default=TRAIN, help=argparse.SUPPRESS)
    parser.add_argument(
        "dataset",
        nargs="?",
        default="shapes10",
        help="a prepared data set, such as cifar10 (default: shapes10, which is generated)",
    )
    parser.add_argument("--preset", default="compact", help=_presets_text())
    parser.add_argument(
        "--family", choices=FAMILIES, help="family of codecs (default: the system's)"
    )
    parser.add_argument(
        "--system", choices=ALL_SYSTEMS, help="system to train (default: the family's first)"
    )
    parser.add_argument("--name", help="name of the codec (default: DATASET-PRESET[-SYSTEM])")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of data sets")
    parser.add_argument("--work", type=Path, default=Path("training"), help="folder of artefacts")
    parser.add_argument("--out", type=Path, help="folder of the codec (default: codecs/NAME)")
    parser.add_argument("--config", type=Path, help="settings in YAML that override the preset")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="any setting, by its path"
    )
    stages = argparse.SUPPRESS if command == SEARCH else "end after this stage"
    parser.add_argument("--until", choices=ALL_STAGES, help=stages)
    parser.add_argument(
        "--progress", type=Path, help="file of JSON lines (default: WORK/NAME/progress.jsonl)"
    )
    return parser


def as_typed(words: list[str]) -> list[str]:
    """Return the words after `semcom` for a job: the command and its arguments."""
    named = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    named.add_argument("--command", choices=ABOUT, default=TRAIN)
    found, rest = named.parse_known_args(words)
    return [found.command, *rest]


def _ranks_parser() -> argparse.ArgumentParser:
    ranks = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    ranks.add_argument("--nproc", type=_count, default=1, help="number of ranks on this host")
    ranks.add_argument("--nnodes", type=_count, default=1, help="number of hosts")
    ranks.add_argument(
        "--rendezvous", metavar="HOST:PORT", help="address at which several hosts meet"
    )
    ranks.add_argument(
        "--local-addr",
        metavar="HOST",
        help=(
            "address at which the other hosts reach this one; the host named by --rendezvous "
            "keeps the store"
        ),
    )
    ranks.add_argument(
        "--wait",
        type=_seconds,
        default=WAIT_S,
        metavar="SECONDS",
        help=f"how long hosts wait for each other (default: {WAIT_S})",
    )
    return ranks


def _presets_text() -> str:
    return "; ".join(f"{name}: {', '.join(each.presets)}" for name, each in FAMILIES.items())


def _seconds(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_WAIT_S:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_WAIT_S}, got {text!r}")
    return int(text)


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= MAX_RANKS:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_RANKS}, got {text!r}")
    return int(text)


def settings_of(arguments: argparse.Namespace) -> JobSettings:
    """Return the settings for the arguments: preset, then `--config`, then `--set`.

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
    if arguments.nnodes > 1 and not arguments.rendezvous:
        raise ConfigurationError("--nnodes: several hosts need --rendezvous HOST:PORT")
    dataset, preset, system = arguments.dataset, arguments.preset, arguments.system
    name = arguments.name or default_name(dataset, preset, system)
    asked = Asked(
        manifest=manifest,
        preset=preset,
        system=system,
        name=name,
        overrides=overrides | {"data_dir": arguments.data, "work_dir": arguments.work},
        written=keys_of(overrides),
        commanded=keys_of(commanded),
        until=arguments.until,
        ranks=arguments.nproc * arguments.nnodes,
        out=folder_to_write(arguments, name),
    )
    return FAMILIES[arguments.family].settings_of(asked)


def _manifest(root: Path) -> DatasetManifest:
    manifest = read_manifest(root)
    if manifest.name != root.name:
        raise ConfigurationError(
            f"{root} holds data set '{manifest.name}'; give the folder the same name"
        )
    return manifest


def folder_to_write(arguments: argparse.Namespace, name: str) -> Path:
    """Return the folder to which the codec is written."""
    return arguments.out or CODECS_HERE / name


def _assign(overrides: dict[str, Any], assignment: str) -> None:
    """Put `a.b.c=value` (value as in YAML) into nested dictionaries."""
    path, separator, text = assignment.partition("=")
    if not separator:
        raise ConfigurationError(
            f"--set {assignment}: expected KEY=VALUE, such as stages.stage1.epochs=3"
        )
    *parents, last = path.split(".")
    for parent in parents:
        overrides = overrides.setdefault(parent, {})
        if not isinstance(overrides, dict):
            raise ConfigurationError(f"--set {assignment}: {parent} is a value, not a group")
    overrides[last] = parse_yaml(text, where=f"--set {assignment}")
