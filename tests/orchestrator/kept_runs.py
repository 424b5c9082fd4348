"""Small complete runs that kept their answers, with their data sets and made-up answers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from orchestrator.plan.groups import PlannedGroup
from orchestrator.plan.plan import Plan, PlannedLink
from orchestrator.results.ledger import Ledger
from orchestrator.results.run_folder import LEDGER
from semcom.kept_answers import FOLDER, keep_answer
from semcom.shards import Shard, write_dataset
from semcom.tasks.reconstruction import Reconstruction
from semcom.tasks.task import Task
from semcom.tasks.text import Text
from semcom.text_shards import AnyShard, TextShard, write_sentences
from semcom.tile_shards import write_tiles as cut_into_tiles
from semcom.vocabulary import Vocabulary
from tests.orchestrator.ledgers import CHANNELS, fake_codec, fake_plan, fake_result, write_manifest

FRAME = 3
WORDS = ("a", "bird", "cat", "flies", "on", "sleeps", "the", "tree")
SENTENCES = (
    "the cat sleeps", "a bird flies", "the bird sleeps on the tree", "a cat flies",
    "the tree sleeps", "a bird sleeps on a cat", "the cat flies on",
)  # fmt: skip


def write_tiles(data: Path, *, side: int = 16, images: int = 7) -> Shard:
    """Write a data set of smooth images without classes."""
    rng = np.random.default_rng(side)
    rows, columns = np.mgrid[0:side, 0:side] / side
    slopes = rng.uniform(-90, 90, (images, 2, 1, 1, 3))
    tiles = 128 + slopes[:, 0] * rows[..., None] + slopes[:, 1] * columns[..., None]
    test = tiles.clip(0, 255).astype(np.uint8), np.zeros(images, np.uint16)
    write_dataset(data / "tiles", name="tiles", classes=[], source="made up", splits={"test": test})
    return Shard(data / "tiles", "test")


def write_mosaics(data: Path, *sizes: tuple[int, int], side: int = 16) -> Shard:
    """Write a data set of smooth images of some heights and widths, in tiles."""
    rng = np.random.default_rng(side)
    images = []
    for height, width in sizes:
        rows, columns = np.mgrid[0:height, 0:width]
        slopes = rng.uniform(-90, 90, (2, 1, 1, 3))
        image = (
            128 + slopes[0] * (rows / height)[..., None] + slopes[1] * (columns / width)[..., None]
        )
        images.append(image.clip(0, 255).astype(np.uint8))
    root = data / "mosaics"
    cut_into_tiles(root, name="mosaics", source="made up", side=side, splits={"test": images})
    return Shard(root, "test")


def kept_images(
    folder: Path,
    data: Path,
    *,
    links: Sequence[str] = ("left",),
    codecs: Sequence[str] = ("first",),
    side: int = 16,
    images: int = 7,
    shard: Shard | None = None,
    grouped: bool = False,
    **changes,
) -> Path:
    """A run of links that send all images, each from another one on; more SNR, less error.

    Those of `shard`, or else `images` of a data set that is written to `data`.
    """
    shard = write_tiles(data, side=side, images=images) if shard is None else shard
    images = min(images, len(shard))
    planned = {
        name: PlannedLink(
            dataset=shard.manifest.name, dataset_digest=shard.digest, images=images,
            offset=2 * number,
            codecs=[fake_codec(each) for each in codecs],
        )
        for number, name in enumerate(links)
    }  # fmt: skip
    settings = {"channels": CHANNELS[:1], "snr_db": (0.0, 10.0), "frame_images": FRAME} | changes
    plan = fake_plan(planned, run="kept.01234567", **settings)
    if grouped:
        powers = [1 / len(links)] * len(links)
        group = PlannedGroup(kind="superposition", links=sorted(links), powers=powers)
        plan = plan.model_copy(update={"groups": {"cell": group}})
    task = Reconstruction(shape=(side, side, 3))

    def answered(sent: np.ndarray, link: str, point: int, frame: int) -> np.ndarray:
        rng = np.random.default_rng([list(planned).index(link), point, frame])
        spread = 40.0 * 10 ** (-plan.points[point].spec.snr_db / 20)
        spread *= 1 + plan.points[point].variant
        noisy = sent + rng.normal(0, spread, sent.shape)
        return noisy.round().clip(0, 255).astype(np.uint8)

    return write_kept(folder, plan, shard, task, answered)


def kept_sentences(folder: Path, data: Path) -> Path:
    """A run whose sentences lose their last word at 0 dB, and nothing at 10 dB."""
    vocabulary = Vocabulary(WORDS)
    write_sentences(
        data / "said", name="said", source="made up", vocabulary=vocabulary,
        splits={"test": SENTENCES},
    )  # fmt: skip
    shard = TextShard(data / "said", "test")
    link = PlannedLink(
        dataset="said", dataset_digest=shard.digest, images=len(SENTENCES),
        codecs=[fake_codec("talker")],
    )  # fmt: skip
    plan = fake_plan(
        {"speech": link}, run="kept.01234567", channels=CHANNELS[:1], snr_db=(0.0, 10.0),
        frame_images=FRAME,
    )  # fmt: skip
    task = Text(vocabulary=len(vocabulary), vocabulary_sha256=vocabulary.sha256, longest=8)

    def answered(sent: object, _: str, point: int, __: int) -> np.ndarray:
        tokens_NL = np.pad(sent.tokens_NL, ((0, 0), (0, 8 - sent.tokens_NL.shape[1])))  # type: ignore[attr-defined]
        if plan.points[point].spec.snr_db == 0.0:
            for row in tokens_NL:
                row[np.count_nonzero(row) - 1] = 0
        return tokens_NL

    return write_kept(folder, plan, shard, task, answered)


def write_kept(folder: Path, plan: Plan, shard: AnyShard, task: Task, answered) -> Path:
    """Write a run; `answered` makes answers of what was sent, by link, point and frame."""
    folder.mkdir(parents=True)
    tasks = {codec.digest: task for link in plan.links.values() for codec in link.codecs}
    ledger = Ledger(folder / LEDGER, plan, tasks=tasks)
    for link in plan.links:
        for point in plan.points_of(link):
            results = []
            for frame in range(plan.frames(link)):
                sent = shard.references(task, plan.items(link, frame))
                answers = answered(sent, link, point, frame)
                content = task.form.format(answers)
                keep_answer(folder / FOLDER, content, link=link, point=point, frame=frame)
                score, kept = task.judge(answers, sent), task.kept(content)
                changes = {"score": score, "answer": kept}
                results.append(fake_result(plan, link, point, frame, task=task, **changes))
            ledger.record(link, plan.codec_at(link, point).digest, results)
    ledger.close()
    write_manifest(folder, plan, kind="evaluation")
    return folder
