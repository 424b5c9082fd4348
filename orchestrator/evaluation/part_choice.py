"""The part of an evaluation that a process computes: from `--part`, or from an engine.

Slurm numbers the tasks of an array (`sbatch --array`), Kubernetes the pods of an indexed Job. Both
tell a process its own number, and Slurm also how many there are.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass

from semcom.errors import ConfigurationError

AUTO = "auto"
MAX_PARTS = 100_000
FOLDER = re.compile(r"part-([1-9]\d*)-of-([1-9]\d*)")
SLURM = "SLURM_ARRAY_TASK_ID"
KUBERNETES = "JOB_COMPLETION_INDEX"


@dataclass(frozen=True)
class Part:
    """The `number`-th of `of` parts, counted from 1."""

    number: int
    of: int

    @property
    def folder(self) -> str:
        """Return the name of its folder below the folder of all parts."""
        return f"part-{self.number}-of-{self.of}"

    def __str__(self) -> str:
        """Return it in the form of `--part`."""
        return f"{self.number}/{self.of}"


def parse_part(text: str, environment: Mapping[str, str] = os.environ) -> Part:
    """Return the part that `--part` names: `3/10`, `auto/10` or `auto`.

    `auto` takes the number from the array of Slurm or the indexed Job of Kubernetes that this
    process belongs to; the number of parts is then the second number or, in Slurm, the array's.

    Raises:
        ConfigurationError: it is none of these, or there is no such part.
    """
    number, _, of = text.partition("/")
    if number == AUTO and not of and "/" not in text:
        return _of_array(environment)
    if number == AUTO:
        return _checked(text, _own_number(environment), of)
    return _checked(text, number, of)


def _checked(text: str, number: str | int, of: str) -> Part:
    numbers = [str(number), of]
    if not all(re.fullmatch(r"[1-9]\d{0,8}", each) for each in numbers):
        raise ConfigurationError(
            f"--part {text}: expected I/N such as 3/10, counted from 1; or auto/N or auto in a "
            f"task of an array"
        )
    part = Part(*map(int, numbers))
    if part.of > MAX_PARTS:
        raise ConfigurationError(f"--part {text}: at most {MAX_PARTS:,} parts")
    if part.number > part.of:
        raise ConfigurationError(f"--part {text}: part {part.number} of {part.of}; count from 1")
    return part


def _own_number(environment: Mapping[str, str]) -> int:
    """Return the number that an engine gave this process, counted from 1.

    The numbers of a Slurm array are used unchanged (`--array=1-10`), so that resubmitted tasks
    compute the same parts.
    """
    if SLURM in environment:
        return _number(environment, SLURM)
    if KUBERNETES in environment:
        return _number(environment, KUBERNETES) + 1
    raise ConfigurationError(
        f"--part {AUTO}: this process is not a task of an array: neither {SLURM} nor "
        f"{KUBERNETES} is "
        f"set; name the part, such as 3/10"
    )


def _of_array(environment: Mapping[str, str]) -> Part:
    """Return the part of a complete Slurm array, whatever its first number."""
    if SLURM not in environment:
        number = _own_number(environment)
        raise ConfigurationError(
            f"--part {AUTO}: Kubernetes does not say how many pods the Job has; name the number of "
            f"parts, such as --part {AUTO}/{max(number, 10)}"
        )
    names = [f"SLURM_ARRAY_TASK_{name}" for name in ("COUNT", "MIN", "MAX")]
    count, lowest, highest = (_number(environment, name) for name in names)
    if highest - lowest + 1 != count:
        raise ConfigurationError(
            f"--part {AUTO}: the array has {count} tasks between {lowest} and {highest}, so its "
            "numbers do not identify the parts; name the number of parts, such as --part "
            f"{AUTO}/{highest}"
        )
    return _checked(AUTO, _number(environment, SLURM) - lowest + 1, str(count))


def _number(environment: Mapping[str, str], name: str) -> int:
    value = environment.get(name, "")
    if not re.fullmatch(r"\d{1,9}", value):
        raise ConfigurationError(f"--part {AUTO}: {name} is {value!r}, not a number")
    return int(value)
