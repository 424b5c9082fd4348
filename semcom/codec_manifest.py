"""The manifest of a codec, `manifest.json`, in its two formats.

    format 1   codecs of the paper: architecture and weights are the identity
    format 2   codecs of any family: family, task, symbols, architecture and files are the identity

The running system reads only fields that both formats provide: family, task, symbols, `needs_snr`,
`links`, `variable_length`, system.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, model_validator

from semcom.architecture import CodecArchitecture
from semcom.codec_arrays import End
from semcom.families.family import Family
from semcom.families.registry import family_of
from semcom.frame_messages import MAX_SYMBOLS
from semcom.groups import MAX_MEMBERS
from semcom.identity import codec_digest, family_codec_digest
from semcom.names import NAME_PATTERN
from semcom.snr_rates import SnrRates
from semcom.tasks.classification import Classification, OfClasses
from semcom.tasks.ordered_classification import OrderedClassification
from semcom.tasks.registry import AnyTask
from semcom.tasks.task import Task

MAX_WEIGHT_BYTES = 1 << 30
MAX_CLASS_NAME = 1000
CodecName = Annotated[str, Field(pattern="^[a-z0-9][a-z0-9._-]{0,63}$")]


class WeightFile(BaseModel):
    """Size and identity of one file of weights."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: int = Field(ge=1, le=MAX_WEIGHT_BYTES)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


class _Manifest(BaseModel):
    """Fields of both formats, listed in the order in which they are written.

    `classes` are the names of the classes in label order; None if there are none, and in codecs of
    earlier versions. `snr_rates` states how many increments are sent at which SNR; None without a
    table. It, `training` and `results` are not part of the identity.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    if TYPE_CHECKING:
        name: str
        dataset: str
        classes: list[str] | None
        weights: dict[End, WeightFile]
        training: dict[str, Any]
        results: dict[str, Any]
        snr_rates: SnrRates | None

    def as_json(self) -> bytes:
        """Return the content of `manifest.json`."""
        left_out = {"classes"} if self.classes is None else set()
        return json.dumps(self.model_dump(mode="json", exclude=left_out), indent=1).encode()

    def _check_classes(self, count: int | None) -> None:
        names = self.classes
        if names is None:
            return
        if len(names) != count:
            raise ValueError(f"classes holds {len(names)} names, the architecture has {count}")
        if not all(name.strip() and len(name) <= MAX_CLASS_NAME for name in names):
            raise ValueError(f"classes: names have 1 to {MAX_CLASS_NAME} characters, not all blank")
        if len(set(names)) != count:
            raise ValueError("classes contains a name twice")

    def _check_rates(self, task: Task) -> None:
        if self.snr_rates is None:
            return
        lengths = task.lengths if isinstance(task, OrderedClassification) else ()
        if not lengths:
            raise ValueError("snr_rates: only of codewords of several lengths")
        if self.snr_rates.most > len(lengths):
            raise ValueError(f"snr_rates: more increments than the {len(lengths)} of the codec")

    @property
    def _sha256s(self) -> dict[str, str]:
        return {str(end): file.sha256 for end, file in self.weights.items()}


class CodecManifest(_Manifest):
    """Format 1: a codec of the paper's system or of its baselines."""

    format: Literal[1] = 1
    name: CodecName
    dataset: CodecName
    classes: list[str] | None = None
    architecture: CodecArchitecture
    weights: dict[End, WeightFile]
    training: dict[str, Any] = {}
    results: dict[str, Any] = {}
    snr_rates: SnrRates | None = Field(default=None, exclude_if=lambda table: table is None)

    @model_validator(mode="after")
    def _names_each_class(self) -> Self:
        self._check_classes(self.architecture.classes)
        self._check_rates(self.task)
        return self

    @property
    def digest(self) -> str:
        """SHA-256 over architecture and weights, hexadecimal."""
        return codec_digest(self.architecture, self._sha256s)

    @property
    def family(self) -> Family:
        """Return the family whose code runs it."""
        return family_of("jscc" if self.architecture.channel.is_direct else "rkd")

    @property
    def system(self) -> str:
        """Return the name of its curves."""
        return self.architecture.channel.system

    @property
    def task(self) -> Task:
        """Return the task of its answers."""
        classes, channel = self.architecture.classes, self.architecture.channel
        if channel.increments is None:
            return Classification(classes=classes)
        return OrderedClassification(classes=classes, lengths=channel.lengths)

    @property
    def symbols(self) -> int:
        """K complex symbols of a codeword."""
        return self.architecture.channel.symbols

    @property
    def needs_snr(self) -> bool:
        """Return whether codewords depend on the SNR, so that points cannot share them."""
        return self.architecture.channel.tx_csi

    @property
    def links(self) -> int:
        """Return the number of links that share a slot; 1: a plain link."""
        return 1

    @property
    def variable_length(self) -> bool:
        """Return whether the number of symbols sent differs between codewords."""
        return self.architecture.channel.increments is not None


class FamilyManifest(_Manifest):
    """Format 2: a codec of any installed family.

    `family_name` names the family that can run it; it never names code. `architecture` belongs to
    the family. `system` is the name of its curves.
    """

    format: Literal[2] = 2
    name: CodecName
    dataset: CodecName
    classes: list[str] | None = None
    family_name: str = Field(alias="family", pattern=NAME_PATTERN)
    system: str = Field(pattern=NAME_PATTERN)
    task: AnyTask
    symbols: int = Field(ge=1, le=MAX_SYMBOLS)
    needs_snr: bool = False
    links: int = Field(default=1, ge=1, le=MAX_MEMBERS)  # that share a slot; 1: a plain link
    variable_length: bool = False  # the number of symbols sent differs between codewords
    architecture: dict[str, Any]
    weights: dict[End, WeightFile]
    training: dict[str, Any] = {}
    results: dict[str, Any] = {}
    snr_rates: SnrRates | None = Field(default=None, exclude_if=lambda table: table is None)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        task = self.task
        self._check_classes(task.classes if isinstance(task, OfClasses) else None)
        self._check_rates(task)
        if self.variable_length and self.links > 1:
            raise ValueError("variable_length: superposed codewords must all have one length")
        self.family.architecture.model_validate(self.architecture)
        return self

    @property
    def family(self) -> Family:
        """Return the family whose code runs it.

        Raises:
            CheckpointError: it is not installed.
        """
        return family_of(self.family_name)

    @property
    def digest(self) -> str:
        """SHA-256 over everything that determines its answers, hexadecimal."""
        decides: dict[str, Any] = {
            "family": self.family_name,
            "task": self.task.model_dump(mode="json"),
            "symbols": self.symbols,
            "needs_snr": self.needs_snr,
            "architecture": self.architecture,
        }
        if self.links > 1:
            decides["links"] = self.links
        if self.variable_length:
            decides["variable_length"] = True
        return family_codec_digest(decides, self._sha256s)

    def as_json(self) -> bytes:
        """Return the content of `manifest.json`."""
        left_out = {"classes"} if self.classes is None else set()
        if self.links == 1:
            left_out.add("links")
        if not self.variable_length:
            left_out.add("variable_length")
        content = self.model_dump(mode="json", exclude=left_out, by_alias=True)
        return json.dumps(content, indent=1).encode()


def _format(content: Any) -> str:
    found = content.get("format") if isinstance(content, dict) else getattr(content, "format", 1)
    return "2" if found == 2 else "1"


AnyManifest = CodecManifest | FamilyManifest
MANIFESTS: TypeAdapter[AnyManifest] = TypeAdapter(
    Annotated[
        Annotated[CodecManifest, Tag("1")] | Annotated[FamilyManifest, Tag("2")],
        Discriminator(_format),
    ]
)
