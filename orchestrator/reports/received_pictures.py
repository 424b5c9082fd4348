"""Sent and received images of a run, chosen by PSNR from its kept answers.

Where items are tiles of larger images, whole images are shown, put together of their tiles.

Shape legend: N images of a link in the order of the data set, S series.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orchestrator.plan.plan import Plan
from orchestrator.reports.curves import joined
from orchestrator.reports.picture_source import Images, PictureSource, Place, Received, Series
from orchestrator.reports.system_titles import system_title
from orchestrator.results.answers import KeptAnswers
from orchestrator.results.frame_rows import FrameRow
from orchestrator.results.run_folder import StoredRun, open_ledger
from semcom.errors import ConfigurationError, SemcomError
from semcom.shards import Shard
from semcom.tasks.reconstruction import Reconstruction

RANKS = ("worst", "median", "best")
MOST_SNRS = 3  # that are shown where none are chosen
MOST_COLUMNS = 8  # of links and codecs; of more, groups show their first user


@dataclass(frozen=True, kw_only=True)
class Row:
    """An image sent, and the image that each series received.

    Attributes:
        rank: worst, median or best.
        index: index of the image in the test split of the data set.
        sent: uint8 (H, W, C).
        received: by series.
    """

    rank: str
    index: int
    sent: Images
    received: list[Received]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Rows of images at one SNR.

    Attributes:
        snr_db: Es/N0.
        means: mean PSNR of all images, by series.
        rows: images from the worst to the best.
    """

    snr_db: float
    means: list[float]
    rows: list[Row]


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """One image over all SNRs: the image that each series received, by ascending SNR."""

    index: int
    sent: Images
    snrs_db: list[float]
    received: list[list[Received | None]]


@dataclass(frozen=True, kw_only=True)
class Gallery:
    """Images of links with one data set, over one channel.

    Attributes:
        run, dataset, channel: of which.
        images: how many each link sent.
        tile_side: pixels per side of the tiles in which they were sent; None where as a whole.
        seed: of the channel.
        series: names, a link with a codec each.
        grouped: whether the links meet in slots.
        left_out: users of a group that are not shown, where there are many columns.
        snapshots: at the chosen SNRs.
        ladder: the median image over all SNRs.
    """

    run: str
    dataset: str
    channel: str
    images: int
    tile_side: int | None
    seed: int
    series: list[str]
    grouped: bool
    left_out: list[str]
    snapshots: list[Snapshot]
    ladder: Ladder


def galleries(run: StoredRun, data: Path, snrs_db: Sequence[float] = ()) -> list[Gallery]:
    """Return the images of a run, a gallery per data set and channel.

    Args:
        run: a run with kept answers; without them there are no galleries.
        data: folder of data sets; missing or different ones give no galleries.
        snrs_db: SNRs at which images are chosen; by default three of the run's.

    Raises:
        ConfigurationError: the run has no such SNR.
        AccountingError: a kept answer differs from the recorded one.
        StorageError: a file cannot be read.
    """
    if not has_pictures(run):
        return []
    rows: dict[tuple[str, int], list[FrameRow]] = defaultdict(list)
    with open_ledger(run.folder) as ledger:
        for row in ledger.rows():
            rows[row.link, row.point].append(row)
    kept = KeptAnswers(run.folder, run.summary.tasks)
    sets: dict[tuple[str, int], list[str]] = defaultdict(list)
    for link in _image_links(run):
        planned = run.summary.plan.links[link]
        sets[planned.dataset_digest, planned.images].append(link)
    found: list[Gallery] = []
    shards = {key: _shard(run.summary.plan, links[0], data) for key, links in sets.items()}
    for key, links in sets.items():
        shard = shards[key]
        if shard is not None:
            reader = PictureSource(run, kept, rows, shard)
            each = (_gallery(reader, links, at, snrs_db) for at in reader.channels(links))
            found += [gallery for gallery in each if gallery is not None]
    if snrs_db and not found and any(shards.values()):
        raise ConfigurationError(f"{run.folder} has no pictures at these SNRs")
    return found


def has_pictures(run: StoredRun) -> bool:
    """Return whether a run kept images, so that pictures only need the data set."""
    kept = KeptAnswers(run.folder, run.summary.tasks)
    return kept.there and not run.summary.incomplete and bool(_image_links(run))


def _image_links(run: StoredRun) -> list[str]:
    plan, summary = run.summary.plan, run.summary
    return [
        link
        for link in plan.links
        if all(isinstance(summary.task_of(link, p), Reconstruction) for p in plan.points_of(link))
    ]


def _shard(plan: Plan, link: str, data: Path) -> Shard | None:
    planned = plan.links[link]
    try:
        shard = Shard(data / planned.dataset, "test")
    except (SemcomError, OSError, ValueError):
        return None
    return shard if shard.digest == planned.dataset_digest else None


def _gallery(
    reader: PictureSource, links: Sequence[str], channel: str, wanted: Sequence[float]
) -> Gallery | None:
    plan, run = reader.run.summary.plan, reader.run
    places = [p for p in reader.points if p.series.link in links and p.channel == channel]
    seed = places[0].seed
    snrs_db = sorted({p.snr_db for p in places})
    chosen = [snr for snr in snrs_db if snr in wanted] if wanted else spread(snrs_db)
    if not chosen or not reader.count(links[0]):
        return None
    series = list(dict.fromkeys(p.series for p in places))
    left_out = _other_users(plan, series)
    series = [each for each in series if each.link not in left_out]

    def point_of(each: Series, snr_db: float) -> int | None:
        return reader.points.get(Place(each, channel, snr_db, seed))

    # Series are compared at common SNRs, because a codec may lack an SNR of another.
    snapshots: list[Snapshot] = []
    for snr_db in chosen:
        points = [point_of(each, snr_db) for each in series]
        if None in points:
            continue
        at = [(each.link, p) for each, p in zip(series, points, strict=True) if p is not None]
        snapshots.append(_snapshot(reader, at, snr_db))
    if not snapshots:
        return None
    middle = snapshots[len(snapshots) // 2].rows[RANKS.index("median")]
    received = [
        [
            None
            if (point := point_of(each, snr)) is None
            else reader.received(each.link, point, middle.index)
            for snr in snrs_db
        ]
        for each in series
    ]
    ladder = Ladder(index=middle.index, sent=middle.sent, snrs_db=snrs_db, received=received)
    return Gallery(
        run=run.name,
        dataset=plan.links[links[0]].dataset,
        channel=channel,
        images=reader.count(links[0]),
        tile_side=reader.tile_side,
        seed=seed,
        series=_names(series, _called(run)),
        grouped=any(plan.group_of(link) is not None for link in links),
        left_out=left_out,
        snapshots=snapshots,
        ladder=ladder,
    )


def _snapshot(reader: PictureSource, at: Sequence[tuple[str, int]], snr_db: float) -> Snapshot:
    """Return the images that are worst, median and best in the mean PSNR of all series."""
    psnr_SN = np.stack([reader.psnr_db(link, point) for link, point in at])
    order = np.argsort(psnr_SN.mean(axis=0), kind="stable")
    places = (0, (len(order) - 1) // 2, len(order) - 1)
    rows = []
    for rank, place in zip(RANKS, places, strict=True):
        index = int(order[place])
        rows.append(
            Row(
                rank=rank,
                index=index,
                sent=reader.sent(at[0][0], index),
                received=[reader.received(link, point, index) for link, point in at],
            )
        )
    return Snapshot(snr_db=snr_db, means=psnr_SN.mean(axis=1).tolist(), rows=rows)


def spread(snrs_db: Sequence[float], most: int = MOST_SNRS) -> list[float]:
    """Return a limited number of SNRs of an ascending list: its ends, and evenly spaced ones."""
    if len(snrs_db) <= most:
        return list(snrs_db)
    places = np.linspace(0, len(snrs_db) - 1, most).round().astype(int)
    return [snrs_db[place] for place in places]


def _other_users(plan: Plan, series: Sequence[Series]) -> list[str]:
    """Return the users of groups beside the first one, where there are too many columns for all."""
    if len(series) <= MOST_COLUMNS:
        return []
    shown = {each.link for each in series}
    return [
        link
        for group in plan.groups.values()
        for link in [each for each in group.links if each in shown][1:]
    ]


def _called(run: StoredRun) -> dict[str, str]:
    """Return what codecs are called: as a user says, or by their systems where each has one."""
    codecs = {c.name: c.system for link in run.summary.plan.links.values() for c in link.codecs}
    systems = list(codecs.values())
    titles = {
        name: system_title(system, run.labels)
        for name, system in codecs.items()
        if systems.count(system) == 1
    }
    return titles | dict(run.labels)


def _names(series: Sequence[Series], labels: Mapping[str, str]) -> list[str]:
    """Return what series are called: the link or the codec, both where that tells them apart."""
    links = {each.link for each in series}
    codecs = {each.codec for each in series}
    names = []
    for link, codec in series:
        called = labels.get(codec, codec)
        parts = (link if len(links) > 1 else "", called if len(codecs) > 1 else "")
        names.append(joined(*parts) or called)
    return names
