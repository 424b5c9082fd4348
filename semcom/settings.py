"""Settings files: YAML, validated by pydantic, with errors that name the key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from semcom.errors import ConfigurationError
from semcom.files import read_text

MAX_SETTINGS_BYTES = 1 << 20
MAX_QUOTED = 80
SECRET_PLACES = ("security", "secret", "token")
# What YAML's own constructors raise for values that look like numbers or dates and are none.
UNREADABLE = (
    yaml.YAMLError, RecursionError, ValueError, KeyError, AttributeError, TypeError,
)  # fmt: skip


def _check_port(address: str) -> str:
    if int(address.rpartition(":")[2]) > 65535:
        raise ValueError("a port is at most 65535")
    return address


Address = Annotated[
    str, Field(pattern=r"^tcp://[A-Za-z0-9.*\-]+:\d{1,5}$"), AfterValidator(_check_port)
]
Port = Annotated[int, Field(ge=0, le=65535)]
HostName = Annotated[str, Field(pattern=r"^(\*|[A-Za-z0-9._-]{1,253})$")]
HostNames = tuple[HostName, ...]
HOST_NAMES: Any = Field(
    default=(), description="names that its pages may be asked under, beside its own; `*`: any"
)
# What computes a transmitter's networks; answers depend on it in their last bits.
Engine = Literal["torch", "onnxruntime"]
Decoding = Literal["exact", "throughput"]
NoiseEngine = Literal["numpy", "numba"]


class Settings(BaseModel):
    """Base of everything that is read from a file: unknown keys are errors."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class SecuritySettings(Settings):
    """With it, every connection is authenticated and encrypted."""

    keys: Path = Field(description="folder of keys, see semcom keys")


class ProcessSettings(Settings):
    """What every process is told."""

    control: Address | None = Field(default=None, description="the orchestrator's address")
    metrics_host: str = Field(default="127.0.0.1", description="where /metrics listens")
    metrics_port: Port = Field(default=0, description="0: any free port, see the log")
    metrics_hosts: HostNames = HOST_NAMES
    parent_pid: int | None = Field(default=None, description="end when this parent is gone")
    security: SecuritySettings | None = Field(default=None, description="keys of all processes")


SettingsT = TypeVar("SettingsT", bound=BaseModel)


class UniqueKeys(yaml.SafeLoader):
    """Safe YAML in which a key given twice is an error, not a silent choice.

    Merge keys (`<<`) are refused: each may double what the map inside it holds, so that a file
    of a few hundred bytes could fill the memory.
    """

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Refuse merge keys instead of merging."""
        if any(key.tag == "tag:yaml.org,2002:merge" for key, _ in node.value):
            raise yaml.constructor.ConstructorError(None, None, "merge keys (<<) are not taken")
        super().flatten_mapping(node)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """The map of a node."""
        mapping = super().construct_mapping(node, deep=deep)
        if len(mapping) != len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key is given twice")
        return mapping


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML file that holds a map.

    Raises:
        ConfigurationError: missing, not YAML, or not a map.
    """
    try:
        text = read_text(path, max_bytes=MAX_SETTINGS_BYTES)
    except FileNotFoundError as error:
        raise ConfigurationError(f"no such file: {path}") from error
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
    content = parse_yaml(text, where=str(path))
    if not isinstance(content, dict):
        raise ConfigurationError(f"{path} must hold a map of settings")
    return content


def parse_yaml(text: str, *, where: str) -> Any:
    """What a text in YAML says.

    Raises:
        ConfigurationError: not YAML; `where` says what held the text.
    """
    try:
        return yaml.load(text, Loader=UniqueKeys)
    except UNREADABLE as error:
        first = str(error).splitlines()[0] if str(error) else "too deep"
        raise ConfigurationError(f"{where} is not YAML: {first}") from error


def validate(model: type[SettingsT], content: Any, *, where: str) -> SettingsT:
    """Validate a map against a model.

    Raises:
        ConfigurationError: one line with the key, what is wrong, and what is allowed.
    """
    try:
        return model.model_validate(content)
    except ValidationError as error:
        raise ConfigurationError(f"{where}: {describe(error, model)}") from error
    except ValueError as error:  # an integer of thousands of digits
        raise ConfigurationError(f"{where}: {error}") from error


def describe(error: ValidationError, model: type[BaseModel]) -> str:
    """One line for the first error of a validation, and how many more there are."""
    errors = error.errors(include_url=False, include_context=False)
    first = errors[0]
    path = " ".join(".".join(str(part) for part in first["loc"]).split())[:MAX_QUOTED] or "settings"
    text = f"{path}: {first['msg'].removeprefix('Value error, ')}"
    if first["type"] == "extra_forbidden":
        text = f"{path}: unknown key; allowed: {', '.join(_allowed_keys(model, first['loc'][:-1]))}"
    elif _may_be_quoted(first) and isinstance(first["input"], str | int | float):
        text += f" (got {_quoted(first['input'])})"
    return text if len(errors) == 1 else f"{text} (and {len(errors) - 1} more)"


def _may_be_quoted(error: Mapping[str, Any]) -> bool:
    """Whether to say what was given: something must be there, and not where secrets belong."""
    place = ".".join(str(part) for part in error["loc"]).lower()
    return error["type"] != "missing" and not any(word in place for word in SECRET_PLACES)


def _quoted(value: object) -> str:
    try:
        text = repr(value)
    except ValueError:
        return "a number of thousands of digits"
    return text if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]}..."


def _allowed_keys(model: type[BaseModel], location: tuple[int | str, ...]) -> list[str]:
    """Field names of the model that `location` leads to."""
    current: type[BaseModel] = model
    for part in location:
        field = current.model_fields.get(part) if isinstance(part, str) else None
        if field is not None:
            current = _model_of(field.annotation) or current
    return sorted(current.model_fields)


def _model_of(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for argument in getattr(annotation, "__args__", ()):
        found = _model_of(argument)
        if found is not None:
            return found
    return None
