"""The request of `semcom evaluate` as a scenario: every codec on the link of its data set.

All codecs of a data set share one link, so they have the same fading at every point, and those with
the same number of symbols the same noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from orchestrator.plan.catalog import Catalog, no_codec
from orchestrator.plan.scenario import Scenario
from orchestrator.plan.snr_points import SnrRange
from semcom.channel_models import installed, model_class
from semcom.errors import ConfigurationError
from semcom.points import OWN_MODELS
from semcom.settings import parse_yaml, validate

NAME = "evaluation"


def scenario_first(scenario: Path | None, named: list[str]) -> tuple[Path | None, list[str]]:
    """Return the scenario and the codecs of a command, whose first word may be a YAML file."""
    if scenario is None and named and named[0].endswith((".yaml", ".yml")):
        return Path(named[0]), named[1:]
    return scenario, named


def scenario_for(codecs: Sequence[str], catalog: Catalog, *, points: dict[str, Any]) -> Scenario:
    """Return a scenario of codecs at `points`, with its keys channels, snr_db, seeds and images.

    Raises:
        ConfigurationError: no or an unknown codec, or points that are not valid.
        CheckpointError: a codec's manifest is not valid.
    """
    if not codecs:
        raise ConfigurationError("name at least one codec, or a scenario with --scenario FILE")
    links = {
        dataset: {"dataset": dataset, "codecs": names}
        for dataset, names in _by_dataset(codecs, catalog).items()
    }
    return validate(Scenario, {"name": NAME, "links": links, **points}, where="evaluation")


def with_codecs(scenario: Scenario, codecs: Sequence[str], catalog: Catalog) -> Scenario:
    """Return the scenario for other codecs, each on the links with its data set.

    Raises:
        ConfigurationError: an unknown codec, or one whose data set no link of the scenario has.
        CheckpointError: a codec's manifest is not valid.
    """
    if not codecs:
        return scenario
    by_dataset = _by_dataset(codecs, catalog)
    content = scenario.model_dump()
    content["links"] = {
        name: {"dataset": link.dataset, "codecs": by_dataset[link.dataset]}
        for name, link in scenario.links.items()
        if link.dataset in by_dataset
    }
    for dataset in by_dataset.keys() - {link.dataset for link in scenario.links.values()}:
        raise ConfigurationError(
            f"codec {by_dataset[dataset][0]} is for data set {dataset}, which no link of "
            f"{scenario.name} carries"
        )
    return validate(Scenario, content, where=scenario.name)


def parse_channels(text: str) -> list[dict[str, str]]:
    """Parse `awgn,rayleigh,tdl`: channel models with default settings.

    Raises:
        ConfigurationError: an unknown model.
    """
    names = [name.strip() for name in text.split(",")]
    for name in names:
        if name not in installed():
            raise ConfigurationError(
                f"--channels: unknown channel '{name}'; available: {', '.join(installed())}"
            )
        if name not in OWN_MODELS:
            model_class(name)
    return [{"model": name} for name in names]


def parse_snr_db(text: str) -> list[float] | dict[str, float]:
    """`-10:25:2.5` (start, stop, step in dB) or a list such as `-10,0,25`.

    Raises:
        ConfigurationError: it is neither, or the range is not valid.
    """
    numbers = _numbers(text, ":" if ":" in text else ",")
    if not numbers or (":" in text and len(numbers) != 3):
        raise ConfigurationError(
            f"--snr-db {text}: expected START:STOP:STEP or a list of numbers in dB"
        )
    if ":" not in text:
        return numbers
    content = dict(zip(("start", "stop", "step"), numbers, strict=True))
    validate(SnrRange, content, where=f"--snr-db {text}")
    return content


def parse_seeds(text: str) -> list[int]:
    """`0,1,2`.

    Raises:
        ConfigurationError: not a list of whole numbers.
    """
    seeds = [number for number in _numbers(text, ",") if isinstance(number, int)]
    if len(seeds) != text.count(",") + 1:
        raise ConfigurationError(f"--seeds {text}: expected whole numbers such as 0,1,2")
    return seeds


def _numbers(text: str, separator: str) -> list[int | float]:
    """Return numbers as in scenarios; none if a part is not a number."""
    try:
        found = [parse_yaml(part.strip(), where="") for part in text.split(separator)]
    except ConfigurationError:
        return []
    numbers = [
        each for each in found if isinstance(each, int | float) and not isinstance(each, bool)
    ]
    return numbers if len(numbers) == len(found) else []


def checked_codecs(codecs: Sequence[str], catalog: Catalog) -> list[str]:
    """Return codecs in the given order, each once.

    Raises:
        ConfigurationError: one is not in the catalogue.
    """
    names = catalog.all_names()
    for codec in codecs:
        if codec not in names:
            raise ConfigurationError(no_codec(codec, catalog))
    return list(dict.fromkeys(codecs))


def _by_dataset(codecs: Sequence[str], catalog: Catalog) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for codec in checked_codecs(codecs, catalog):
        found.setdefault(catalog.open(codec).manifest.dataset, []).append(codec)
    return found
