"""The fingerprint of a process: what determines its rounding, and its host.

Two hosts that run the same networks may round differently: another instruction set, another
library, another accelerator. Logits then differ in their last bits, and an image at the boundary
between two classes may get a different answer. A process that computes answers therefore states the
names and versions of what computes, and `rounding`, digests over the results of known operations.
Hosts with equal fingerprints round alike as far as those operations show.
"""

from __future__ import annotations

import hashlib
import json
import platform
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from semcom.errors import one_line
from semcom.machine import processor

MAX_TEXT = 200
MAX_KERNELS = 2000  # the vector extensions of one processor exceed MAX_TEXT
Text = Annotated[str, Field(max_length=MAX_TEXT)]
Words = Annotated[dict[Text, Text], Field(max_length=64)]
Kernels = Annotated[dict[Text, Annotated[str, Field(max_length=MAX_KERNELS)]], Field(max_length=64)]
SHOWN_DIGEST = 12  # letters of a digest in a message


class Fingerprint(BaseModel):
    """Rounding of a process. Format 1: these fields, all covered by the digest.

    Attributes:
        format: of this record.
        machine: the processor's architecture, such as `x86_64`.
        device: `cpu`, or the name of the accelerator.
        kernels: the instruction set in use, by engine.
        threads: of the networks, by role.
        versions: of the libraries that compute.
        rounding: SHA-256 over the results of known operations, by engine.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1] = 1
    machine: Text
    device: Text
    kernels: Kernels
    threads: Annotated[dict[Text, int], Field(max_length=8)]
    versions: Words
    rounding: Words

    @property
    def digest(self) -> str:
        """Return the SHA-256 that names it, hexadecimal."""
        return hashlib.sha256(json.dumps(self.model_dump(), sort_keys=True).encode()).hexdigest()


class Origin(BaseModel):
    """Host that computed answers, and its rounding. Format 1.

    Attributes:
        format: of this record.
        host: its name in the network.
        processor: its name as the system reports it; not compared.
        part: the part of an evaluation that it computed, such as `3/10`; None for all of it.
        process: role and name of a process of a sweep, such as `receiver receiver-1`; None for
            others, which are stored without it.
        fingerprint: how it rounds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal[1] = 1
    host: Text
    processor: Text
    part: Text | None = None
    process: Text | None = None
    fingerprint: Fingerprint

    @property
    def words(self) -> str:
        """Return a short description."""
        part = "" if self.part is None else f"part {self.part}, "
        process = "" if self.process is None else f"{self.process} on "
        return one_line(f"{part}{process}host {self.host}", MAX_TEXT)

    def stored(self) -> str:
        """Return it in the form that a ledger stores."""
        return self.model_dump_json(exclude={"process"} if self.process is None else None)


@dataclass(frozen=True)
class EngineRounding:
    """Rounding of an engine on this host.

    Attributes:
        engine: its name.
        version: of its library.
        kernels: the instruction set that it uses, as far as it reports one.
        rounding: SHA-256 over the results of known operations, hexadecimal.
        threads: number of threads.
        device: device on which it computes.
    """

    engine: str
    version: str
    kernels: str
    rounding: str
    threads: int
    device: str = "cpu"


def own_origin(computing: Mapping[str, EngineRounding], *, process: str | None = None) -> Origin:
    """Return the host and rounding of this process; `computing` has the engines by role.

    Texts that the host determines are cut where they are too long: no host is refused for one.
    """
    engines = sorted({(each.engine, each.threads): each for each in computing.values()}.items())
    devices = {each.device for each in computing.values()}
    return Origin(
        host=_fitting(socket.gethostname()),
        processor=_fitting(processor()),
        process=process,
        fingerprint=Fingerprint(
            machine=platform.machine(),
            device=_fitting(", ".join(sorted(devices))),
            kernels={each.engine: _fitting(each.kernels, MAX_KERNELS) for _, each in engines},
            threads={role: each.threads for role, each in computing.items()},
            versions={
                "numpy": np.__version__,
                **{
                    each.engine: _fitting(each.version) for _, each in sorted(engines, reverse=True)
                },
            },
            rounding={f"{each.engine} on {each.threads}": each.rounding for _, each in engines},
        ),
    )


def _fitting(text: str, most: int = MAX_TEXT) -> str:
    """Return a text, cut if it is longer than a field may be."""
    return text if len(text) <= most else f"{text[: most - 3]}..."


def differences(one: Fingerprint, other: Fingerprint) -> str:
    """Return a short description of how `one` differs from `other`; empty if they are equal."""
    found: list[str] = []
    for name in ("machine", "device"):
        here, there = getattr(one, name), getattr(other, name)
        if here != there:
            found.append(f"{name} {here}, not {there}")
    for name, told in (("kernels", "kernels"), ("threads", "threads of"), ("versions", "")):
        found += _of_words(getattr(one, name), getattr(other, name), told)
    if not found and one.rounding != other.rounding:
        found += _of_words(one.rounding, other.rounding, "results of known operations by")
    return one_line("; ".join(found), 400)


def _of_words(here: Mapping[str, object], there: Mapping[str, object], told: str) -> list[str]:
    names = dict.fromkeys([*here, *there])
    return [
        f"{told} {name} {_shown(here.get(name))}, not {_shown(there.get(name))}".strip()
        for name in names
        if here.get(name) != there.get(name)
    ]


def _shown(value: object) -> str:
    text = "none" if value is None else str(value)
    return text[:SHOWN_DIGEST] if len(text) == hashlib.sha256().digest_size * 2 else text
