"""`python -m orchestrator.training.semnoma.evaluation CODEC...`: images of test through slots.

All systems of a command meet the same fades and see the same pairs of images, so that they are
compared image by image. User u of U sends image i + u M / U (mod M) of M in slot i.

Shape legend: U users, N slots of a chunk, M images, S image size.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from orchestrator.cli.terminal import Terminal
from orchestrator.training.semnoma.link import SlotLink, by_user
from orchestrator.training.semnoma.pipeline import pixels_of
from orchestrator.training.semnoma.settings import SlotChannel
from orchestrator.training.semnoma.slots import Slots, draw_slots
from semcom.checkpoints import Checkpoint, codec_folder, open_checkpoint
from semcom.codec_arrays import parse_arrays
from semcom.codec_manifest import FamilyManifest
from semcom.entry import run_process
from semcom.errors import ConfigurationError, SemcomError
from semcom.families.semnoma import SemnomaArchitecture
from semcom.nn.weights import load_arrays
from semcom.plain_text import take_every_character, tell_error
from semcom.shards import Shard
from semcom.statistics import Z_95
from semcom.tasks.reconstruction import mean_squared_errors, psnr_db, ssim

CHUNK = 64  # slots of a forward pass
SNRS_DB = (0.0, 5.0, 10.0, 15.0, 20.0)
CHANNELS: tuple[SlotChannel, ...] = ("awgn", "rayleigh")
Values = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Quality:
    """PSNR in dB and SSIM of every image that every user sent, (U, M)."""

    psnr_db_UM: Values
    ssim_UM: Values


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A point: what all systems are evaluated under."""

    channel: SlotChannel
    snr_db: float
    users: int
    seed: int = 0

    @property
    def key(self) -> str:
        """What its draws are keyed by; fades do not depend on the SNR."""
        return f"evaluation/{self.seed}/{self.channel}"


def load_link(checkpoint: Checkpoint, *, users: int) -> SlotLink:
    """Return both ends of a codec of this family as training sees them.

    `users` send in a slot; a codec of a plain link serves each of them alone.

    Raises:
        CheckpointError: its weights are damaged or do not fit.
        ConfigurationError: it is of another family, or of slots of another number of users.
    """
    manifest, name = checkpoint.manifest, checkpoint.folder.name
    if not isinstance(manifest, FamilyManifest) or manifest.family_name != "semnoma":
        raise ConfigurationError(f"codec {name} is not of the family semnoma")
    architecture = SemnomaArchitecture.model_validate(manifest.architecture)
    if architecture.users not in (1, users):
        raise ConfigurationError(
            f"codec {name} is of slots of {architecture.users} users; set --users to it"
        )
    link = SlotLink(architecture, users=architecture.users)
    encoder = parse_arrays(checkpoint.read_half("transmitter"))
    decoders = parse_arrays(checkpoint.read_half("receiver"))
    load_arrays({"encoder": link.encoder}, encoder)
    load_arrays({"decoders": link.decoders}, decoders)
    if architecture.users < users:  # all of them send with its only plane
        link.users = users
        link.encoder.planes = torch.nn.Parameter(link.encoder.planes.expand(users, -1, -1, -1))
    link.eval().requires_grad_(False)
    return link.to(memory_format=torch.channels_last)


@torch.inference_mode()
def evaluate(link: SlotLink, images_MSS3: npt.NDArray[np.uint8], at: Condition) -> Quality:
    """Send every image once by every user, and compare what is recovered with what was sent."""
    parts = list(_chunks(link, images_MSS3, at))
    psnr, similar = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
    return Quality(psnr, similar)


def _chunks(
    link: SlotLink, images_MSS3: npt.NDArray[np.uint8], at: Condition
) -> Iterator[tuple[Values, Values]]:
    count, users = len(images_MSS3), at.users
    offsets = np.array([user * count // users for user in range(users)])
    for first in range(0, count, CHUNK):
        slots = Slots(at.key, first, min(CHUNK, count - first), users)
        sent = images_MSS3[(offsets[:, None] + np.arange(first, first + slots.count)) % count]
        # Users with no common slot meet equal noise here: no mean depends on it.
        draw = draw_slots(slots, at.channel, symbols=link.architecture.symbols, own_noise=False)
        pixels_of_all = pixels_of(torch.from_numpy(sent).flatten(0, 1))
        images = by_user(pixels_of_all, users)
        output = link(images, draw, torch.full((slots.count,), at.snr_db))
        pixels = output.pixels_UN3HW.clamp(0.0, 1.0).flatten(0, 1).permute(0, 2, 3, 1).numpy()
        answers = np.rint(pixels * np.float32(255.0)).astype(np.uint8)
        references = sent.reshape(answers.shape)
        shape = (users, slots.count)
        errors = mean_squared_errors(answers, references)
        yield psnr_db(errors).reshape(shape), ssim(answers, references).reshape(shape)


def table_rows(
    links: dict[str, SlotLink], images_MSS3: npt.NDArray[np.uint8], points: list[Condition]
) -> Iterator[list[str]]:
    """Evaluate systems point by point: the cells of a row for each of them.

    The last cell is the mean difference in PSNR to the first system, image by image.
    """
    for at in points:
        first: Quality | None = None
        for name, link in links.items():
            found = evaluate(link, images_MSS3, at)
            first = first or found
            difference = found.psnr_db_UM - first.psnr_db_UM
            of_users = " ".join(f"{each:.2f}" for each in found.psnr_db_UM.mean(axis=1))
            yield [
                at.channel, f"{at.snr_db:g}", name, _interval(found.psnr_db_UM), of_users,
                f"{found.ssim_UM.mean():.4f}", "" if found is first else _interval(difference),
            ]  # fmt: skip


def _interval(values: Values) -> str:
    """Mean and half of its 95 % interval, of images that several users send as one each."""
    of_images = values.mean(axis=0)
    half = Z_95 * of_images.std(ddof=1) / np.sqrt(len(of_images)) if len(of_images) > 1 else 0.0
    return f"{of_images.mean():.2f} +- {half:.2f}"


def _arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m orchestrator.training.semnoma.evaluation",
        description="PSNR and SSIM of codecs of the family semnoma, in one process.",
        allow_abbrev=False,
    )
    parser.add_argument(
        "codecs", nargs="+", type=Path, help="names or folders; the first is the base"
    )
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of data sets")
    parser.add_argument("--dataset", help="of the images (default: the first codec's)")
    parser.add_argument("--images", type=int, help="the first so many; all if none")
    parser.add_argument("--snr-db", type=float, nargs="+", default=SNRS_DB)
    parser.add_argument("--channels", nargs="+", choices=CHANNELS, default=CHANNELS)
    parser.add_argument("--users", type=int, default=2, help="that send in a slot")
    parser.add_argument("--seed", type=int, default=0, help="of the channel")
    return parser.parse_args(words)


def _main(words: list[str]) -> int:
    take_every_character()
    arguments = _arguments(words)
    try:
        opened = [open_checkpoint(codec_folder(codec)) for codec in arguments.codecs]
        if arguments.users < 1 or (arguments.images is not None and arguments.images < 1):
            raise ConfigurationError("--users, --images: at least 1")
        links = {each.folder.name: load_link(each, users=arguments.users) for each in opened}
        if len(links) < len(opened):
            raise ConfigurationError("two codecs have one name; rename the folder of one")
        dataset = arguments.dataset or opened[0].manifest.dataset
        images = np.array(Shard(arguments.data / dataset, "test").images_NHWC[: arguments.images])
        for name, link in links.items():
            if images.shape[1:] != link.architecture.item:
                raise ConfigurationError(f"codec {name} takes other images than those of {dataset}")
        points = [
            Condition(channel=channel, snr_db=snr_db, users=arguments.users, seed=arguments.seed)
            for channel in arguments.channels
            for snr_db in arguments.snr_db
        ]
        out = Terminal()
        out.print("channel | SNR dB | codec | PSNR dB | of users | SSIM | against the first, dB")
        for row in table_rows(links, images, points):
            out.print(" | ".join(row))
    except SemcomError as error:
        tell_error(str(error))
        return error.exit_code
    return 0


def main() -> int:
    """Evaluate; returns the exit code."""
    return run_process(lambda: _main(sys.argv[1:]))


if __name__ == "__main__":
    sys.exit(main())
