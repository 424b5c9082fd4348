"""Scenarios: users' YAML files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from orchestrator.plan.groups import GroupSettings, check_groups
from orchestrator.plan.interference_points import (
    InterferenceSettings,
    check_interference,
    interference_points,
)
from orchestrator.plan.rates import Increments, check_rates, rates_of
from orchestrator.plan.snr_points import MAX_POINTS, SnrPoints, values_of
from semcom.channel_choice import Channel
from semcom.errors import ConfigurationError
from semcom.frame_messages import MAX_FRAME_IMAGES
from semcom.groups import MAX_GROUPS
from semcom.messages import Arithmetic, Role
from semcom.names import Name
from semcom.plain_text import command
from semcom.points import ChannelSettings
from semcom.settings import (
    HOST_NAMES,
    NOISE_ENGINE,
    Decoding,
    Engine,
    HostNames,
    NoiseEngineChoice,
    Port,
    SecuritySettings,
    Settings,
    check_device,
    read_yaml,
    validate,
)
from semcom.shipped import scenario_file

LIVE = "live"  # the mode of scenarios for `semcom up`


class LinkSettings(Settings):
    """One transmitter: its data set, and its codec or codecs."""

    dataset: Name = Field(description="a prepared data set")
    codec: Name | None = Field(default=None, description="one codec")
    codecs: list[Name] = Field(
        default=[],
        max_length=16,
        description="several codecs, in place of `codec`; they are compared on the same fading, and"
        " on the same noise if their codewords have the same length",
    )

    @property
    def all_codecs(self) -> list[str]:
        """Codecs in the order in which they are swept."""
        return [self.codec] if self.codec is not None else self.codecs

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        if (self.codec is None) == (not self.codecs):
            raise ValueError("give either codec or codecs")
        if len(set(self.codecs)) != len(self.codecs):
            raise ValueError("codecs contains a name twice")
        return self


class Ports(Settings):
    """Ports of channel and orchestrator; 0 takes any free port, unknown to other hosts."""

    host: str = Field(
        default="127.0.0.1",
        pattern=r"^([A-Za-z0-9.\-]+|\*)$",
        description="address or interface on which orchestrator and channel listen; `*`: all",
    )
    control: Port = Field(default=0, description="port of the orchestrator, for all processes")
    uplink: Port = Field(default=0, description="port of the channel, for transmitters")
    downlink: Port = Field(default=0, description="port of the channel, for receivers")
    metrics: Port = Field(default=0, description="port of the orchestrator's metrics and live page")
    metrics_host: str = Field(
        default="127.0.0.1", description="address on which the orchestrator serves those pages"
    )
    metrics_hosts: HostNames = HOST_NAMES


class Threads(Settings):
    """Threads of the networks, per process. The answers of exact mode depend on them."""

    transmitter: int = Field(default=1, ge=1, le=256, description="threads of each encoder")
    receiver: int = Field(default=1, ge=1, le=256, description="threads of each decoder")


def arithmetic_of(
    threads: Threads, *, engine: Engine, receiver_engine: Engine, decoding: Decoding
) -> dict[Role, Arithmetic]:
    """Return the arithmetic of each role for a plan's answers."""
    return {
        "transmitter": Arithmetic(threads=threads.transmitter, engine=engine),
        "receiver": Arithmetic(threads=threads.receiver, engine=receiver_engine, decoding=decoding),
    }


class SystemSettings(Settings):
    """Settings of the processes, for sweeps and for live systems."""

    name: str = Field(
        pattern="^[a-z0-9][a-z0-9._-]{0,47}$", description="name of the run and of its folder"
    )
    window: int = Field(default=8, ge=1, le=1024, description="frames in flight per link")
    encode_once: bool = Field(
        default=True, description="encode each image once instead of at every point"
    )
    decoding: Decoding = Field(
        default="exact",
        description="throughput: receivers merge waiting frames, and answers may vary where classes"
        " nearly tie",
    )
    receivers: int = Field(default=1, ge=1, le=64, description="number of receivers per shard")
    shards: int = Field(
        default=1,
        ge=1,
        le=16,
        description="number of channels, each with its own links and receivers",
    )
    device: str = Field(
        default="cpu", pattern=r"^(auto|cpu|cuda(:\d+)?)$", description="device of the receivers"
    )
    threads: Threads = Field(default=Threads(), description="threads of the networks")
    engine: Engine = Field(
        default="torch", description="library that runs the transmitters' networks"
    )
    receiver_engine: Engine = Field(
        default="torch", description="library that runs the receivers' networks"
    )
    noise_engine: NoiseEngineChoice = NOISE_ENGINE
    ports: Ports = Field(default=Ports(), description="fixed ports, for processes on other hosts")
    security: SecuritySettings | None = Field(
        default=None, repr=False, description="keys of all processes; see security.md"
    )
    log_frames: bool = Field(default=False, description="log each frame, for an audit")

    @property
    def receiver_names(self) -> list[str]:
        """Return the names of the receivers to start, shard by shard."""
        return [f"receiver-{number}" for number in range(1, self.shards * self.receivers + 1)]

    @property
    def links_together(self) -> list[list[str]]:
        """Return links that one channel process must serve because they meet."""
        return []

    @property
    def arithmetic(self) -> dict[Role, Arithmetic]:
        """Return the arithmetic of transmitters and receivers."""
        return arithmetic_of(
            self.threads,
            engine=self.engine,
            receiver_engine=self.receiver_engine,
            decoding=self.decoding,
        )

    @model_validator(mode="after")
    def _receivers_compute_there(self) -> Self:
        check_device(self.receiver_engine, self.device)
        return self

    @model_validator(mode="after")
    def _can_be_sharded(self) -> Self:
        if self.shards > 1 and (self.security or self.ports.uplink or self.ports.downlink):
            raise ValueError("several shards choose their own ports and have no keys")
        return self


class Scenario(SystemSettings):
    """A sweep: every link over every channel, SNR and seed."""

    mode: Literal["sweep"] = Field(default="sweep", description="a live scenario has `live` here")
    links: dict[Name, LinkSettings] = Field(
        min_length=1, max_length=256, description="links, each with its own transmitter"
    )
    groups: dict[Name, GroupSettings] = Field(
        default={}, max_length=MAX_GROUPS, description="links whose frames meet in the channel"
    )
    interference: InterferenceSettings | None = Field(
        default=None, description="interference in groups whose kind is interference"
    )
    channels: list[Channel] = Field(
        default=[ChannelSettings()],
        min_length=1,
        description="channel conditions, all of which are swept",
    )
    increments: Increments | None = Field(
        default=None,
        description="rates of ordered codewords, all of which are swept: a number of increments; "
        "snr: the number in the codec's table; {confidence: 0.9}: as many as that "
        "confidence requires. None: whole codewords",
    )
    snr_db: SnrPoints = Field(description="Es/N0 per complex symbol")
    seeds: list[Annotated[int, Field(ge=0, lt=2**63)]] = Field(
        default=[0], min_length=1, description="seeds of the channel, all of which are swept"
    )
    images: int | None = Field(
        default=None, ge=1, description="items per point and link; all if omitted"
    )
    frame_images: int = Field(default=100, ge=1, le=MAX_FRAME_IMAGES, description="items per frame")
    keep_answers: bool = Field(
        default=False, description="save each answer as a file in `answers/` in the run's folder"
    )

    @property
    def links_together(self) -> list[list[str]]:
        """Return links that one channel process must serve: those of a group, or a single one."""
        grouped = {link for group in self.groups.values() for link in group.links}
        alone = [[link] for link in self.links if link not in grouped]
        return [*(list(group.links) for group in self.groups.values()), *alone]

    @property
    def snr_points_db(self) -> list[float]:
        """The SNRs of the sweep."""
        return values_of(self.snr_db)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        met = len(interference_points(self.interference))
        rates = rates_of(self.increments)
        check_rates(rates, grouped=self.groups)
        points = len(self.channels) * met * len(rates) * len(self.snr_points_db) * len(self.seeds)
        if points > MAX_POINTS:
            raise ValueError(f"{points:,} points, at most {MAX_POINTS:,}")
        labels = [channel.label for channel in self.channels]
        lists: Mapping[str, Sequence[object]] = {
            "snr_db": self.snr_points_db,
            "seeds": self.seeds,
            "channels": labels,
        }
        for key, values in lists.items():
            if len(set(values)) != len(values):
                twice = next(value for value, times in Counter(values).items() if times > 1)
                raise ValueError(f"{key} holds {twice} twice")
        apart = len(self.links_together)
        if self.shards > apart:
            raise ValueError(f"{self.shards} shards, but only {apart} links or groups of links")
        return self

    @model_validator(mode="after")
    def _grouped(self) -> Self:
        check_groups(self.groups, self.links)
        check_interference(self.interference, self.groups, self.links, self.channels)
        for name, group in self.groups.items():
            codecs = {tuple(self.links[link].all_codecs) for link in group.links}
            if len(codecs) > 1:
                raise ValueError(f"the links of group {name} have different codecs")
        return self


def read_scenario(path: Path) -> Scenario:
    """Read and validate a scenario.

    Raises:
        ConfigurationError: one line that names the key and what is allowed.
    """
    path = scenario_file(path)
    content = read_yaml(path)
    if content.get("mode") == LIVE:
        start = command("semcom", "up", path)
        raise ConfigurationError(f"{path} is a live scenario, not a sweep; start it with: {start}")
    return validate(Scenario, content, where=str(path))
