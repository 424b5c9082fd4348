"""Settings files: YAML, validated by pydantic, with our own error messages that name the key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from semcom import yaml_text
from semcom.errors import ConfigurationError
from semcom.files import read_file
from semcom.settings_words import converted, describe, near
from semcom.type_words import quoted

MAX_SETTINGS_BYTES = 1 << 20
ROLES = ("transmitter", "channel", "receiver", "orchestrator")  # of a process file
UNUSABLE = re.compile("[\0\ud800-\udfff]")


def _check_port(address: str) -> str:
    if int(address.rpartition(":")[2]) > 65535:
        raise ValueError("a port must be at most 65535")
    return address


Address = Annotated[
    str, Field(pattern=r"^tcp://[A-Za-z0-9.*\-]+:\d{1,5}$"), AfterValidator(_check_port)
]
Port = Annotated[int, Field(ge=0, le=65535)]
HostName = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9._-]{1,253})$")]
HostNames = tuple[HostName, ...]
HOST_NAMES: Any = Field(
    default=(), description="further host names under which its pages may be requested; `*`: any"
)
# Engines that compute the networks of a process; the last bits of answers depend on them.
Engine = Literal["torch", "onnxruntime"]
Decoding = Literal["exact", "throughput"]
# What computes the channel; answers do not depend on it.
NoiseEngine = Literal["numpy", "numba"]
NoiseEngineChoice = Literal["auto", "numpy", "numba"]
NOISE_ENGINE: Any = Field(
    default="auto",
    description="library that computes the channel; `auto`: numba where it is installed",
)


def check_device(engine: Engine, device: str) -> None:
    """Check that an engine supports a device.

    Raises:
        ValueError: it does not.
    """
    if engine == "onnxruntime" and device not in ("auto", "cpu"):
        raise ValueError(
            f"device {device}: engine {engine} computes only on the CPU; "
            f"set device cpu, or engine torch"
        )


class Settings(BaseModel):
    """Base of everything that is read from a file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class SecuritySettings(Settings):
    """If set, every connection is authenticated and encrypted."""

    keys: Path = Field(description="folder of keys, see semcom keys")


class ProcessSettings(Settings):
    """Settings of every process."""

    control: Address | None = Field(default=None, description="the orchestrator's address")
    metrics_host: str = Field(
        default="127.0.0.1", description="address on which /metrics is served"
    )
    metrics_port: Port = Field(default=0, description="0: any free port; the log states it")
    metrics_hosts: HostNames = HOST_NAMES
    parent_pid: int | None = Field(default=None, description="end when this parent has ended")
    security: SecuritySettings | None = Field(
        default=None, repr=False, description="keys of all processes"
    )


SettingsT = TypeVar("SettingsT", bound=BaseModel)


def read_yaml(path: Path) -> dict[str, Any]:
    """Return the map in a YAML file.

    Raises:
        ConfigurationError: it is missing, not readable, not YAML, or not a map.
    """
    try:
        content = read_file(path, max_bytes=MAX_SETTINGS_BYTES)
    except FileNotFoundError as error:
        raise ConfigurationError(f"no such file: {path}") from error
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    try:
        settings = yaml_text.parse(yaml_text.decode(content))
    except yaml_text.YamlError as error:
        raise ConfigurationError(f"{path}, {error}") from error
    if not isinstance(settings, dict):
        found = "nothing" if settings is None else quoted(settings)
        raise ConfigurationError(
            f"{path} must hold a map of settings, with one 'name: value' per line; it holds {found}"
        )
    return settings


def parse_yaml(text: str, *, where: str) -> Any:
    """Return the value of a YAML text.

    Raises:
        ConfigurationError: it is not YAML; `where` names its source.
    """
    try:
        return yaml_text.parse(text)
    except yaml_text.YamlError as error:
        raise ConfigurationError(f"{where}, {error}") from error


def validate(model: type[SettingsT], content: Any, *, where: str) -> SettingsT:
    """Return the settings in a map, without converting values to other types.

    Raises:
        ConfigurationError: one line with the key, what is wrong, and what is allowed.
    """
    for path, character in _unusable(content):
        reason = f"holds the character U+{ord(character):04X}, which is not allowed in text"
        raise ConfigurationError(f"{where}: {path}: {reason}")
    try:
        settings = model.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {describe(error, model, content)}") from error
    except (ValueError, OverflowError, RecursionError) as error:  # a very long number
        raise ConfigurationError(f"{where}: cannot be read: {error}") from error
    for path, expected, given in converted(content, settings):
        raise ConfigurationError(f"{where}: {path}: must be {expected}, got {quoted(given)}")
    return settings


def section_of(sections: dict[str, Any], role: str, *, where: str) -> Any:
    """Return the section of a role in a process file, whose sections must all be roles.

    Raises:
        ConfigurationError: it is missing, or a section is not a role.
    """
    for name in sections:
        if name not in ROLES:
            known = f"{near(name, ROLES)}; sections are: {', '.join(ROLES)}"
            raise ConfigurationError(f"{where}: {quoted(name)} is not a role{known}")
    if role not in sections:
        raise ConfigurationError(f"{where}: section {role} is missing")
    return sections[role]


def _unusable(content: Any) -> Iterator[tuple[str, str]]:
    """Yield places of texts that file systems or terminals reject, which escapes can produce."""
    rest: list[tuple[str, Any]] = [("", content)]
    while rest:
        path, found = rest.pop()
        if isinstance(found, str):
            wrong = UNUSABLE.search(found)
            if wrong is not None:
                yield path.removeprefix(".") or "settings", wrong[0]
        elif isinstance(found, dict):
            rest += [(path, key) for key in found]
            rest += [(f"{path}.{ascii(key)[1:-1]}"[:80], value) for key, value in found.items()]
        elif isinstance(found, list | tuple):
            rest += [(f"{path}.{index}"[:80], value) for index, value in enumerate(found)]
