"""Plans: fully specified scenarios, pinned by digests.

Two runs of the same plan must have the same results digest.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from pydantic import Field

from orchestrator.plan.catalog import Catalog, VerifiedCodecs, VerifiedOnce
from orchestrator.plan.groups import PlannedGroup, check_codec_links, plan_group
from orchestrator.plan.interference_points import interference_points
from orchestrator.plan.rates import check_codec_rates, rates_of
from orchestrator.plan.scenario import Scenario, Threads, arithmetic_of
from semcom.class_names import check_classes
from semcom.codec_manifest import AnyManifest
from semcom.errors import ConfigurationError
from semcom.groups import offsets_of
from semcom.identity import plan_digest
from semcom.messages import MAX_ITEMS, Arithmetic, Digest, Role
from semcom.names import Name
from semcom.points import PointSpec
from semcom.settings import (
    Decoding,
    Engine,
    Settings,
)
from semcom.shards import DatasetManifest, Span, read_manifest
from semcom.snr_rates import SnrRates, told_spec
from semcom.tasks.text import Text
from semcom.wire import MAX_PAYLOAD_BYTES, fits


class PlannedCodec(Settings):
    """A codec, pinned by its digest; and its table of increments by SNR, if a link follows it."""

    name: Name
    digest: Digest
    system: str
    snr_rates: SnrRates | None = Field(default=None, exclude_if=lambda table: table is None)


class PlannedLink(Settings):
    """A link, pinned by the digests of its data set and codecs."""

    dataset: Name
    dataset_digest: Digest
    images: int = Field(ge=1)
    codecs: list[PlannedCodec]
    offset: int = Field(default=0, ge=0)  # the first image that is sent


class PlannedPoint(Settings):
    """A channel condition, for the `variant`-th codec of each link that has one."""

    variant: int = Field(ge=0)
    spec: PointSpec


class Plan(Settings):
    """A plan: every point, link and digest of a run."""

    run: Name
    frame_images: int
    decoding: Decoding
    threads: Threads
    engine: Engine = "torch"
    receiver_engine: Engine = "torch"
    links: dict[Name, PlannedLink]
    points: list[PlannedPoint]
    groups: dict[Name, PlannedGroup] = Field(default={})

    @property
    def name(self) -> str:
        """The scenario's name: `run` without its unique suffix."""
        return self.run.rsplit(".", 1)[0]

    @property
    def digest(self) -> str:
        """SHA-256 over everything that determines the answers."""
        return plan_digest(self)

    @property
    def arithmetic(self) -> dict[Role, Arithmetic]:
        """Return how transmitters and receivers must compute."""
        return arithmetic_of(
            self.threads,
            engine=self.engine,
            receiver_engine=self.receiver_engine,
            decoding=self.decoding,
        )

    def frames(self, link: str) -> int:
        """Frames of a link at each of its points."""
        return -(-self.links[link].images // self.frame_images)

    def frame_size(self, link: str, frame: int) -> int:
        """Items per frame; the last frame may be shorter."""
        return min(self.frame_images, self.links[link].images - frame * self.frame_images)

    def items(self, link: str, frame: int) -> Span:
        """Return the items of its data set in a frame of a link."""
        planned = self.links[link]
        first = frame * self.frame_images + planned.offset
        return Span(first % planned.images, self.frame_size(link, frame), of=planned.images)

    def group_of(self, link: str) -> PlannedGroup | None:
        """Return the group of a link; None if it has none."""
        return next((group for group in self.groups.values() if link in group.links), None)

    def points_of(self, link: str) -> list[int]:
        """Return the indices of a link's points in order."""
        variants = len(self.links[link].codecs)
        return [index for index, point in enumerate(self.points) if point.variant < variants]

    def codec_at(self, link: str, point: int) -> PlannedCodec:
        """Return the codec of a link at a point."""
        return self.links[link].codecs[self.points[point].variant]

    def spec_at(self, link: str, point: int) -> PointSpec:
        """Return a point as a link is told it: its codec's table replaces a rate by SNR."""
        return told_spec(self.points[point].spec, self.codec_at(link, point).snr_rates)

    @property
    def total_frames(self) -> int:
        """Frames of the whole run."""
        return sum(len(self.points_of(link)) * self.frames(link) for link in self.links)


def make_plan(scenario: Scenario, *, run: str, data_dir: Path, catalog: Catalog) -> Plan:
    """Return the plan of a scenario.

    Raises:
        ConfigurationError: a data set is missing, or does not fit the codec.
        CheckpointError: a codec is missing or cannot be trusted.
    """
    codecs = VerifiedOnce(catalog)
    links = {
        name: plan_link(
            name,
            dataset=link.dataset,
            codecs=link.all_codecs,
            images=scenario.images,
            frame_images=scenario.frame_images,
            data_dir=data_dir,
            catalog=codecs,
        )
        for name, link in scenario.links.items()
    }
    groups = {name: plan_group(group) for name, group in scenario.groups.items()}
    links |= offset_links(groups, links)
    rates = rates_of(scenario.increments)
    together = {link: it.received_together for it in groups.values() for link in it.links}
    for name, link in links.items():
        for codec in link.codecs:
            manifest = codecs.verified(codec.name).manifest
            wanted = together.get(name, 1)
            check_codec_links(name, codec.name, wanted=wanted, served=manifest.links)
            check_codec_rates(name, codec.name, manifest, rates)
            for setting in ("engine", "receiver_engine"):
                engine = getattr(scenario, setting)
                manifest.family.check_engine(codec.name, engine, setting=setting)
    if not any(rate is not None and rate.by_snr for rate in rates):
        links = {name: _without_tables(link) for name, link in links.items()}
    digests = {codec.digest for link in links.values() for codec in link.codecs}
    if len(digests) > MAX_ITEMS:
        raise ConfigurationError(f"{len(digests)} codecs in one run, at most {MAX_ITEMS}")
    variants = max(len(link.codecs) for link in links.values())
    points = [
        PlannedPoint(
            variant=variant,
            spec=PointSpec(
                channel=channel, snr_db=snr_db, seed=seed, interference=interference, rate=rate
            ),
        )
        for variant in range(variants)
        for seed in scenario.seeds
        for channel in scenario.channels
        for interference in interference_points(scenario.interference)
        for rate in rates
        for snr_db in scenario.snr_points_db
    ]
    return Plan(
        run=run,
        frame_images=scenario.frame_images,
        decoding=scenario.decoding,
        threads=scenario.threads,
        engine=scenario.engine,
        receiver_engine=scenario.receiver_engine,
        links=links,
        points=points,
        groups=groups,
    )


def _without_tables(link: PlannedLink) -> PlannedLink:
    """Leave out the tables of a link's codecs: a plan holds only what decides its answers."""
    codecs = [codec.model_copy(update={"snr_rates": None}) for codec in link.codecs]
    return link.model_copy(update={"codecs": codecs})


def offset_links(
    groups: Mapping[str, PlannedGroup], links: Mapping[str, PlannedLink]
) -> dict[str, PlannedLink]:
    """Return the links of groups, each starting with another item.

    Raises:
        ConfigurationError: links of a group have different numbers of items.
    """
    found: dict[str, PlannedLink] = {}
    for name, group in groups.items():
        counts = {links[link].images for link in group.links}
        if len(counts) > 1:
            raise ConfigurationError(
                f"group {name}: its links have {' and '.join(map(str, sorted(counts)))} items; "
                "those that meet must have the same number; set images"
            )
        for link, offset in offsets_of(group.links, images=counts.pop()).items():
            found[link] = links[link].model_copy(update={"offset": offset})
    return found


def plan_link(
    name: str,
    *,
    dataset: str,
    codecs: Sequence[str],
    images: int | None,
    frame_images: int,
    data_dir: Path,
    catalog: VerifiedCodecs,
) -> PlannedLink:
    """Pin a link's data set and codecs, and check that they fit.

    Args:
        name: name of the link.
        dataset: its data set, whose test items are sent.
        codecs: names in the catalogue.
        images: number of items; all if None.
        frame_images: items per frame.
        data_dir: folder of data sets.
        catalog: catalogue of the codecs.

    Raises:
        ConfigurationError: a data set is missing, or does not fit the codec.
        CheckpointError: a codec is missing or cannot be trusted.
    """
    manifest = read_manifest(data_dir / dataset)
    split = manifest.splits.get("test")
    if split is None:
        raise ConfigurationError(
            f"link {name}: data set {dataset} has no test {manifest.item_word}"
        )
    planned = [
        _plan_codec(name, codec, manifest, frame_images=frame_images, catalog=catalog)
        for codec in codecs
    ]
    wanted = split.images if images is None else images
    if wanted > split.images:
        raise ConfigurationError(
            f"link {name}: {wanted} {manifest.item_word} requested, but data set {dataset} has "
            f"{split.images}"
        )
    return PlannedLink(dataset=dataset, dataset_digest=split.sha256, images=wanted, codecs=planned)


def _plan_codec(
    link: str, codec: str, dataset: DatasetManifest, *, frame_images: int, catalog: VerifiedCodecs
) -> PlannedCodec:
    manifest = catalog.verified(codec).manifest
    _check_items(link, codec, manifest, dataset)
    check_classes(f"link {link}", codec, manifest, dataset)
    if not fits(frame_images, manifest.symbols, csi_columns=manifest.links):
        raise ConfigurationError(
            f"link {link}: {frame_images} {dataset.item_word} of {manifest.symbols} symbols do not "
            "fit into one message; lower frame_images"
        )
    if frame_images * manifest.task.form.item_bytes > MAX_PAYLOAD_BYTES:
        raise ConfigurationError(
            f"link {link}: the answers to {frame_images} {dataset.item_word} do not fit into one "
            "message; lower frame_images"
        )
    return PlannedCodec(
        name=codec, digest=manifest.digest, system=manifest.system, snr_rates=manifest.snr_rates
    )


def _check_items(link: str, codec: str, manifest: AnyManifest, dataset: DatasetManifest) -> None:
    """Check that a codec fits the items of the data set: their kind, size and vocabulary."""
    task, size, sentences = manifest.task, dataset.image_size, dataset.sentences
    if isinstance(task, Text) != (sentences is not None):
        raise ConfigurationError(
            f"link {link}: codec {codec} is for {task.item_word()}, data set {dataset.name} has "
            f"{dataset.item_word}"
        )
    if isinstance(task, Text) and sentences is not None:
        if task.vocabulary_sha256 != sentences.vocabulary_sha256:
            raise ConfigurationError(
                f"link {link}: codec {codec} has another vocabulary than data set {dataset.name}; "
                f"prepare the data set that it was trained on"
            )
        if task.longest < sentences.longest:
            raise ConfigurationError(
                f"link {link}: codec {codec} takes sentences of up to {task.longest} "
                "words, but data set "
                f"{dataset.name} has sentences of {sentences.longest}"
            )
        return
    if task.REFERENCE == "items" and task.form.shape != (size, size, 3):
        given = " x ".join(map(str, task.form.shape))
        raise ConfigurationError(
            f"link {link}: codec {codec} gives images of {given}, data set {dataset.name} has "
            f"{size} x {size} x 3"
        )
