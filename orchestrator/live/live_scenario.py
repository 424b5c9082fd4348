"""Live scenarios: links that stream at a rate, each along its own course of SNR."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self

from pydantic import Field, model_validator

from orchestrator.live.courses import Constant, Course, Steps, Trace
from orchestrator.live.live_interference import LiveInterference, check_met
from orchestrator.live.traces import read_trace
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.groups import (
    GroupSettings,
    check_codec_links,
    check_groups,
    plan_group,
)
from orchestrator.plan.plan import PlannedLink, offset_links, plan_link
from orchestrator.plan.rates import OneRate, check_codec_rates, rate_of
from orchestrator.plan.scenario import LIVE, Scenario, SystemSettings, read_scenario
from semcom.channel_choice import Channel
from semcom.errors import ConfigurationError
from semcom.frame_messages import MAX_FRAME_IMAGES
from semcom.groups import MAX_GROUPS, Patience
from semcom.messages import Arrivals
from semcom.names import Name
from semcom.plain_text import command
from semcom.points import ChannelSettings
from semcom.settings import Settings, read_yaml, validate
from semcom.shipped import scenario_file

# Settings that the links of a group must share.
ONE_IN_A_GROUP = ("codec", "rate_hz", "frame_images", "channel", "seed", "course")


class LiveLink(Settings):
    """One transmitter: its data set, rate and channel."""

    dataset: Name = Field(description="a prepared data set")
    codec: Name = Field(description="initial codec")
    rate_hz: float = Field(
        default=5.0, gt=0, le=1000, allow_inf_nan=False, description="frames per second"
    )
    arrivals: Arrivals = Field(default="fixed", description="how frames are spaced in time")
    frame_images: int = Field(default=1, ge=1, le=MAX_FRAME_IMAGES, description="items per frame")
    channel: Channel = Field(default=ChannelSettings(), description="initial channel")
    increments: OneRate | None = Field(
        default=None,
        description="initial rate of ordered codewords: a number of increments; snr: the number in "
        "the codec's table; {confidence: 0.9}: as many as that confidence requires. "
        "None: whole codewords",
    )
    seed: int = Field(default=0, ge=0, lt=2**62, description="seed of channel and arrivals")
    course: Course = Field(
        default=Constant(kind="constant", snr_db=10.0), description="how the SNR changes over time"
    )


class LiveScenario(SystemSettings):
    """Links that stream without end."""

    mode: Literal["live"] = Field(
        description="marks a live scenario; without it, the file describes a sweep"
    )
    # Only one channel can know a link's point.
    shards: Literal[1] = Field(default=1, description="a live system has one channel")
    links: dict[Name, LiveLink] = Field(
        min_length=1, max_length=256, description="links, each with its own transmitter"
    )
    window_s: float = Field(
        default=10.0, ge=1, le=600, description="time window of rolling statistics"
    )
    groups: dict[Name, GroupSettings] = Field(
        default={}, max_length=MAX_GROUPS, description="links whose frames meet in the channel"
    )
    interference: LiveInterference = Field(
        default=LiveInterference(),
        exclude_if=lambda interference: interference == LiveInterference(),
        description="interference in groups whose kind is interference",
    )
    patience_s: Patience = Field(
        default=1.0,
        description="how long a frame of a group waits for the frames of the other links",
    )
    course_every_s: float = Field(
        default=1.0, ge=0.1, le=3600, description="time between two updates of the SNRs"
    )

    @model_validator(mode="after")
    def _moves_with_every_step(self) -> Self:
        for name, link in self.links.items():
            if isinstance(link.course, Steps) and link.course.hold_s < self.course_every_s:
                raise ValueError(
                    f"links.{name}.course.hold_s: {link.course.hold_s:g} s are less than "
                    f"course_every_s, {self.course_every_s:g} s: steps would be skipped"
                )
        return self

    @model_validator(mode="after")
    def _grouped(self) -> Self:
        check_groups(self.groups, self.links)
        for name, group in self.groups.items():
            first, *others = sorted(group.links)
            settings = self.links[first]
            for other in others:
                for key in ONE_IN_A_GROUP:
                    if getattr(self.links[other], key) != getattr(settings, key):
                        raise ValueError(
                            f"group {name}: {key} of {other} differs from that of {first}; it "
                            "must be equal for links that meet"
                        )
            if settings.arrivals != "fixed":
                raise ValueError(
                    f"group {name}: its links send at the same time; set arrivals: fixed"
                )
            if settings.increments is not None:
                raise ValueError(f"group {name}: links that meet send whole codewords")
            if group.kind == "interference":
                check_met(settings.channel, f"group {name}")
                self.interference.changed(
                    {"interferers": self.interference.interferers},
                    members=len(group.links),
                    where=f"group {name}",
                )
        if "interference" in self.model_fields_set and not any(
            group.kind == "interference" for group in self.groups.values()
        ):
            raise ValueError("interference has no effect: no group has kind: interference")
        return self


def read_live_scenario(path: Path) -> LiveScenario:
    """Read and validate a live scenario; traces are relative to its file.

    Raises:
        ConfigurationError: one line that names the key and what is allowed.
    """
    path = scenario_file(path)
    content = read_yaml(path)
    if content.get("mode") != LIVE:
        run = command("semcom", "sweep", path)
        raise ConfigurationError(f"{path} is not a live scenario (mode: live); run it with: {run}")
    scenario = validate(LiveScenario, content, where=str(path))
    links = {}
    for name, link in scenario.links.items():
        try:
            links[name] = _with_trace(link, path.parent)
        except ConfigurationError as error:
            raise ConfigurationError(f"{path}: links.{name}.course: {error}") from error
    return scenario.model_copy(update={"links": links})


def read_any_scenario(path: Path) -> Scenario | LiveScenario:
    """Return a scenario of either mode.

    Raises:
        ConfigurationError: one line that names the key and what is allowed.
    """
    path = scenario_file(path)
    if read_yaml(path).get("mode") == LIVE:
        return read_live_scenario(path)
    return read_scenario(path)


def plan_live(
    scenario: LiveScenario, *, data_dir: Path, catalog: Catalog
) -> dict[str, PlannedLink]:
    """Return the links of a scenario, pinned by the digests of data sets and codecs.

    Raises:
        ConfigurationError: a data set is missing, or does not fit the codec.
        CheckpointError: a codec is missing or cannot be trusted.
    """
    planned = {
        name: plan_link(
            name,
            dataset=link.dataset,
            codecs=[link.codec],
            images=None,
            frame_images=link.frame_images,
            data_dir=data_dir,
            catalog=catalog,
        )
        for name, link in scenario.links.items()
    }
    groups = {name: plan_group(group) for name, group in scenario.groups.items()}
    planned |= offset_links(groups, planned)
    together = {link: it.received_together for it in groups.values() for link in it.links}
    for name, link in scenario.links.items():
        manifest = catalog.verified(link.codec).manifest
        check_codec_links(name, link.codec, wanted=together.get(name, 1), served=manifest.links)
        check_codec_rates(name, link.codec, manifest, [rate_of(link.increments)])
    return planned


def trace_notes(scenario: LiveScenario) -> list[str]:
    """Return notes on deviations that were accepted in the scenario's traces."""
    files = dict.fromkeys(
        link.course.file for link in scenario.links.values() if isinstance(link.course, Trace)
    )
    return [f"trace {file}: {note}" for file in files for note in read_trace(file).notes]


def _with_trace(link: LiveLink, folder: Path) -> LiveLink:
    if not isinstance(link.course, Trace):
        return link
    file = (folder / link.course.file).absolute()
    read_trace(file)
    return link.model_copy(update={"course": Trace(kind="trace", file=file)})
