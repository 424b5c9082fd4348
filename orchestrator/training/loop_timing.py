"""`semcom bench training`: the training loop compared with a straightforward PyTorch loop.

Both use the same student, images and optimiser, alternately in the same run: the ratio counts,
because the machine is shared. The plain loop is that of a tutorial: DataLoader, PIL transforms and
float32, with its best number of workers. Ours runs in a separate process, started like `semcom
train`.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from orchestrator.cli.terminal import console, new_table
from orchestrator.training.artefacts import artefact
from orchestrator.training.data import Batch, ImageSet, Rank
from orchestrator.training.loop import Run, Training
from orchestrator.training.losses import task
from orchestrator.training.precision import has_bf16
from orchestrator.training.presets import settings_from_preset
from orchestrator.training.progress import Silent
from orchestrator.training.settings import StageSettings, TrainingSettings
from orchestrator.training.stage import Losses, Prepare, Stage
from semcom.allocator import keeping_memory
from semcom.entry import run_process
from semcom.errors import ConfigurationError, SemcomError
from semcom.extras import needed_by
from semcom.nn.image_input import prepare_images
from semcom.plain_text import tell_error
from semcom.shards import read_manifest
from semcom.stop_signals import StopRequest
from transmitters.codec import make_encoder

BATCH = 128
# In both loops; Muon, used by `compact`, would take the same time in both.
SCHEDULE = StageSettings(epochs=1, batch=BATCH, optimizer="adamw", lr=2e-3, weight_decay=0.02)


class Classifier(nn.Module):
    """The student with a linear head, trained by both loops."""

    def __init__(self, settings: TrainingSettings) -> None:
        super().__init__()
        self.encoder = make_encoder(settings.architecture.encoder)
        self.head = nn.Linear(
            settings.architecture.channel.feature_dim, settings.architecture.classes
        )

    def forward(self, images_B3SS: Tensor) -> Tensor:
        """Prepared images -> logits (B, T)."""
        logits_BT: Tensor = self.head(self.encoder(images_B3SS))
        return logits_BT


class ClassifierStage(Stage):
    """Cross entropy of the classifier, in our loop."""

    name = "jscc"
    uses_views = False

    def __init__(self, prepare: Prepare, classifier: Classifier) -> None:
        super().__init__(prepare)
        self.classifier = classifier

    def forward(self, batch: Batch) -> Losses:
        """CE."""
        return task(self.classifier(self.prepare(batch.images_BSS3)), self.labels(batch))


def seconds_of_ours(settings: TrainingSettings, images: ImageSet, steps: int) -> float:
    """Return the seconds that our loop takes for some steps."""
    torch.manual_seed(0)
    spec = settings.architecture.encoder.input
    stage = ClassifierStage(lambda pixels: prepare_images(pixels, spec), Classifier(settings))
    stage.to(memory_format=torch.channels_last)
    device = torch.device("cpu")
    with tempfile.TemporaryDirectory() as folder:
        run = Run(0, has_bf16(device), device, Rank(), StopRequest(), Silent(), 1e9)
        training = Training(
            stage,
            images.part(torch.arange(steps * BATCH)),
            settings=SCHEDULE,
            augmentation=settings.augmentation,
            artefact=artefact(Path(folder), "bench", {}),
            run=run,
        )
        started = time.perf_counter()
        training.run()
        return time.perf_counter() - started


class OurLoop:
    """Our loop in a process with our memory allocator settings."""

    def __init__(self, settings: TrainingSettings, limit: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._ask, answer = context.Pipe()
        self._process = context.Process(target=_answer, args=(answer, settings, limit), daemon=True)
        before = dict(os.environ)
        os.environ.update(keeping_memory())
        try:
            self._process.start()
        finally:
            os.environ.clear()
            os.environ.update(before)
        answer.close()
        self.seconds(2)

    def seconds(self, steps: int) -> float:
        """Return the seconds that it takes for some steps.

        Raises:
            ConfigurationError: the process has ended.
        """
        try:
            self._ask.send(steps)
            return float(self._ask.recv())
        except (EOFError, OSError) as error:
            raise ConfigurationError("the process of our loop has ended") from error

    def close(self) -> None:
        """End the process."""
        self._ask.close()
        self._process.join()


def _answer(connection: Connection, settings: TrainingSettings, limit: int) -> None:
    images = ImageSet(settings.dataset_dir, "train", limit=limit)
    while True:
        try:
            steps = connection.recv()
        except EOFError:
            return
        connection.send(seconds_of_ours(settings, images, steps))


class PlainLoop:
    """DataLoader, PIL transforms, float32."""

    def __init__(self, settings: TrainingSettings, images: ImageSet, workers: int) -> None:
        with needed_by("semcom bench training", "training"):
            from torchvision import transforms  # noqa: PLC0415 - only the benchmark needs it

        spec = settings.architecture.encoder.input
        transform = transforms.Compose(
            [
                transforms.ToPILImage(),
                transforms.RandomCrop(spec.size, padding=4, padding_mode="reflect"),
                transforms.RandomHorizontalFlip(),
                transforms.ToTensor(),
                transforms.Normalize(spec.mean, spec.std),
            ]
        )
        loader: Any = torch.utils.data.DataLoader(
            _Pictures(images, transform),
            batch_size=BATCH,
            shuffle=True,
            num_workers=workers,
            drop_last=True,
            persistent_workers=workers > 0,
        )
        torch.manual_seed(0)
        self._model = Classifier(settings)
        self._optimizer = torch.optim.AdamW(
            self._model.parameters(), lr=SCHEDULE.lr, weight_decay=SCHEDULE.weight_decay
        )
        self._batches: Iterator[tuple[Tensor, Tensor]] = itertools.chain.from_iterable(
            itertools.repeat(loader)
        )
        self.seconds(2)  # the workers start

    def seconds(self, steps: int) -> float:
        """Return the seconds that it takes for some steps."""
        started = time.perf_counter()
        for images_B3SS, labels_B in itertools.islice(self._batches, steps):
            loss = nn.functional.cross_entropy(self._model(images_B3SS), labels_B)
            self._optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            self._optimizer.step()
            loss.item()
        return time.perf_counter() - started


class _Pictures(torch.utils.data.Dataset[tuple[Tensor, int]]):
    """The images one by one."""

    def __init__(self, images: ImageSet, transform: Any) -> None:
        self._pixels_NSS3 = images.images_NSS3.numpy()
        self._labels = images.labels_N.tolist()
        self._transform = transform

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self._transform(self._pixels_NSS3[index]), self._labels[index]


def bench(arguments: argparse.Namespace) -> list[dict[str, float]]:
    """Return a row per round: images per second of both loops and their ratio."""
    manifest = read_manifest(arguments.data / arguments.dataset)
    settings = settings_from_preset(
        "compact", manifest, name="bench", overrides={"data_dir": arguments.data}
    )
    limit = max(10_000, arguments.steps * BATCH)
    images = ImageSet(settings.dataset_dir, "train", limit=limit)
    if len(images) < arguments.steps * BATCH:
        raise ConfigurationError(f"{arguments.dataset} has fewer than steps x {BATCH} images")
    plain = {workers: PlainLoop(settings, images, workers) for workers in (0, 2)}
    ours = OurLoop(settings, limit)
    rates: list[float] = []
    plain_rates: dict[int, list[float]] = {workers: [] for workers in plain}
    count = arguments.steps * BATCH
    for _ in range(arguments.rounds):
        rates.append(count / ours.seconds(arguments.steps))
        for workers, loop in plain.items():
            plain_rates[workers].append(count / loop.seconds(arguments.steps))
    ours.close()
    # Over all rounds: the best of each round would depend on chance.
    best = max(plain_rates.values(), key=statistics.median)
    return [
        {"round": number, "ours": rate, "plain": other, "ratio": rate / other}
        for number, (rate, other) in enumerate(zip(rates, best, strict=True))
    ]


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="semcom bench training",
        description=__doc__,
        epilog="Example:\n  semcom bench training shapes10 --rounds 3",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("dataset", nargs="?", default="shapes10", help="a data set (shapes10)")
    made.add_argument("--data", type=Path, default=Path("data"), help="folder of data sets")
    made.add_argument("--steps", type=int, default=64, help="steps of 128 images per round")
    made.add_argument("--rounds", type=int, default=5, help="number of rounds")
    made.add_argument("--out", type=Path, help="a CSV file")
    return made


def main() -> int:
    """Run the benchmark; returns the exit code."""
    arguments = parser().parse_args()
    try:
        rows = bench(arguments)
    except SemcomError as error:
        tell_error(str(error))
        return error.exit_code
    _show(rows)
    if arguments.out:
        with arguments.out.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return 0


def _show(rows: list[dict[str, float]]) -> None:
    table = new_table("loop", "images/s: median", "min", "max", numbers=True)
    for name in ("ours", "plain"):
        values = [row[name] for row in rows]
        table.add_row(name, *(f"{f(values):.0f}" for f in (statistics.median, min, max)))
    ratios = [row["ratio"] for row in rows]
    table.add_row("ratio", *(f"{f(ratios):.2f}" for f in (statistics.median, min, max)))
    console.print(table, f"{torch.get_num_threads()} threads")


if __name__ == "__main__":
    sys.exit(run_process(main))
