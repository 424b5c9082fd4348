"""The request of a command to a family's training."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from orchestrator.training.settings import JobSettings, StageSettings
from semcom.errors import ConfigurationError
from semcom.shards import DatasetManifest

Made = TypeVar("Made", bound=JobSettings)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A preset for a system on a data set, with settings that override it.

    Attributes:
        overrides: settings, nested as in YAML, with the folders from options.
        written: keys that were set anywhere, such as `stages.stage1.epochs`.
        commanded: those of them that were set with `--set`.
        until: stage after which the command ends.
        ranks: number of processes that share each step.
        out: folder of the codec.
    """

    manifest: DatasetManifest
    preset: str
    system: Any
    name: str
    overrides: dict[str, Any]
    written: Sequence[str]
    commanded: Sequence[str]
    until: Any
    ranks: int
    out: Path

    def over_preset(self, settings_from_preset: Callable[..., Made]) -> Made:
        """Return the preset with the settings that override it.

        Raises:
            ConfigurationError: an unknown preset, key or value, or a data set that does not fit.
        """
        return settings_from_preset(
            self.preset,
            self.manifest,
            name=self.name,
            system=self.system,
            overrides=self.overrides,
        )

    def check_steps(self, stages: Mapping[Any, StageSettings], *, users: int = 1) -> None:
        """Check that ranks share the items of a step evenly, in whole slots of `users` users.

        Raises:
            ConfigurationError: there is a remainder.
        """
        for name, stage in stages.items():
            if stage.batch % (self.ranks * users):
                slots = f" of slots of {users}" if users > 1 else ""
                raise ConfigurationError(
                    f"stages.{name}.batch: {stage.batch} items over {self.ranks} ranks{slots} "
                    "leave a remainder"
                )
