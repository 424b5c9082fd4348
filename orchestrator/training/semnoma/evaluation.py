"""`python -m orchestrator.training.semnoma.evaluation CODEC...`: test images sent in slots.

All systems of a command have the same fading and the same pairs of images, so that they are
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
from torch import Tensor

from orchestrator.cli.terminal import Terminal
from orchestrator.training.semnoma.link import SlotLink, by_user
from orchestrator.training.semnoma.pipeline import pixels_of
from orchestrator.training.semnoma.settings import SlotChannel
from orchestrator.training.semnoma.slots import Slots, draw_slots
from receiver.semnoma.refinement import Refiner, keyed_noise, make_refiner
from semcom.checkpoints import Checkpoint, codec_folder, open_checkpoint
from semcom.codec_arrays import parse_arrays
from semcom.codec_manifest import FamilyManifest
from semcom.entry import run_process
from semcom.errors import ConfigurationError, SemcomError
from semcom.families.semnoma import SemnomaCodecArchitecture
from semcom.item_keys import ItemKey
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
    """PSNR in dB and SSIM of every image sent by every user, (U, M)."""

    psnr_db_UM: Values
    ssim_UM: Values


@dataclass(frozen=True, kw_only=True)
class Condition:
    """A point: the condition under which all systems are evaluated."""

    channel: SlotChannel
    snr_db: float
    users: int
    seed: int = 0

    @property
    def key(self) -> str:
        """Return the key of its draws; fading does not depend on the SNR."""
        return f"evaluation/{self.seed}/{self.channel}"


@dataclass(frozen=True)
class Recovered:
    """A chunk of slots: decoded pixels_N3HW, the sent images, and the first slot.

    Users follow one another, each with all slots: N = U x slots.
    """

    pixels_N3HW: Tensor
    references_NSS3: npt.NDArray[np.uint8]
    first: int

    def keys(self, at: Condition) -> list[ItemKey]:
        """Return the keys of a refinement's draws."""
        slots = range(self.first, self.first + len(self.references_NSS3) // at.users)
        return [ItemKey(at.seed, f"user-{user}", n) for user in range(at.users) for n in slots]


def load_refiner(checkpoint: Checkpoint) -> Refiner | None:
    """Return the refinement of a codec of this family; None if it has none.

    Raises:
        CheckpointError: its weights are damaged or do not fit.
    """
    refinement = _architecture_of(checkpoint).refinement
    if refinement is None:
        return None
    refiner = make_refiner(refinement)
    arrays = parse_arrays(checkpoint.read_half("receiver"))
    own = {name: array for name, array in arrays.items() if name.startswith("refiner.")}
    load_arrays({"refiner": refiner}, own)
    refiner.eval().requires_grad_(False)
    return refiner.to(memory_format=torch.channels_last)


def _architecture_of(checkpoint: Checkpoint) -> SemnomaCodecArchitecture:
    manifest = checkpoint.manifest
    if not isinstance(manifest, FamilyManifest) or manifest.family_name != "semnoma":
        raise ConfigurationError(f"codec {checkpoint.folder.name} is not of the family semnoma")
    return SemnomaCodecArchitecture.model_validate(manifest.architecture)


def load_link(checkpoint: Checkpoint, *, users: int) -> SlotLink:
    """Return both ends of a codec of this family as in training, without refinement.

    `users` send in a slot; a codec of a plain link serves each of them separately.

    Raises:
        CheckpointError: its weights are damaged or do not fit.
        ConfigurationError: it belongs to another family, or to slots with another number of users.
    """
    architecture, name = _architecture_of(checkpoint), checkpoint.folder.name
    if architecture.users not in (1, users):
        raise ConfigurationError(
            f"codec {name} is for slots of {architecture.users} users; set --users accordingly"
        )
    link = SlotLink(architecture, users=architecture.users)
    encoder = parse_arrays(checkpoint.read_half("transmitter"))
    received = parse_arrays(checkpoint.read_half("receiver"))
    decoders = {name: array for name, array in received.items() if name.startswith("decoders.")}
    load_arrays({"encoder": link.encoder}, encoder)
    load_arrays({"decoders": link.decoders}, decoders)
    if architecture.users < users:  # all of them send with its single plane
        link.users = users
        link.encoder.planes = torch.nn.Parameter(link.encoder.planes.expand(users, -1, -1, -1))
    link.eval().requires_grad_(False)
    return link.to(memory_format=torch.channels_last)


@torch.inference_mode()
def evaluate(
    link: SlotLink,
    images_MSS3: npt.NDArray[np.uint8],
    at: Condition,
    refiner: Refiner | None = None,
) -> Quality:
    """Send every image once from every user, and compare recovered with sent images."""
    parts = list(_measured(link, images_MSS3, at, refiner))
    psnr, similar = (np.concatenate(each, axis=1) for each in zip(*parts, strict=True))
    return Quality(psnr, similar)


def _measured(
    link: SlotLink,
    images_MSS3: npt.NDArray[np.uint8],
    at: Condition,
    refiner: Refiner | None,
) -> Iterator[tuple[Values, Values]]:
    for chunk in recovered(link, images_MSS3, at):
        pixels = chunk.pixels_N3HW
        if refiner is not None:
            noise = noise_of(chunk, at) if refiner.draws else None
            pixels = refiner(pixels, torch.full((len(pixels),), at.snr_db), noise)
        answers, references = as_answers(pixels), chunk.references_NSS3
        errors = mean_squared_errors(answers, references)
        quality = psnr_db(errors), ssim(answers, references)
        yield quality[0].reshape(at.users, -1), quality[1].reshape(at.users, -1)


def noise_of(chunk: Recovered, at: Condition) -> Tensor:
    """Return the noise of a refinement for a chunk."""
    height, width = chunk.pixels_N3HW.shape[2:]
    return keyed_noise(chunk.keys(at), height=height, width=width)


def as_answers(pixels_N3HW: Tensor) -> npt.NDArray[np.uint8]:
    """Return pixels as uint8 images (N, S, S, 3)."""
    pixels = pixels_N3HW.clamp(0.0, 1.0).permute(0, 2, 3, 1).numpy()
    return np.rint(pixels * np.float32(255.0)).astype(np.uint8)


def recovered(
    link: SlotLink, images_MSS3: npt.NDArray[np.uint8], at: Condition
) -> Iterator[Recovered]:
    """Yield the decoded images, each sent once by every user."""
    count, users = len(images_MSS3), at.users
    offsets = np.array([user * count // users for user in range(users)])
    for first in range(0, count, CHUNK):
        slots = Slots(at.key, first, min(CHUNK, count - first), users)
        sent = images_MSS3[(offsets[:, None] + np.arange(first, first + slots.count)) % count]
        # Users without a common slot have equal noise here; no mean depends on it.
        draw = draw_slots(slots, at.channel, symbols=link.architecture.symbols, own_noise=False)
        pixels_of_all = pixels_of(torch.from_numpy(sent).flatten(0, 1))
        images = by_user(pixels_of_all, users)
        output = link(images, draw, torch.full((slots.count,), at.snr_db))
        references = sent.reshape(-1, *sent.shape[2:])
        yield Recovered(output.pixels_UN3HW.flatten(0, 1), references, first)


def table_rows(
    systems: dict[str, tuple[SlotLink, Refiner | None]],
    images_MSS3: npt.NDArray[np.uint8],
    points: list[Condition],
) -> Iterator[list[str]]:
    """Evaluate systems point by point: the cells of a row for each of them.

    The last cell is the mean difference in PSNR to the first system, image by image.
    """
    for at in points:
        first: Quality | None = None
        for name, (link, refiner) in systems.items():
            found = evaluate(link, images_MSS3, at, refiner)
            first = first or found
            difference = found.psnr_db_UM - first.psnr_db_UM
            of_users = " ".join(f"{each:.2f}" for each in found.psnr_db_UM.mean(axis=1))
            yield [
                at.channel, f"{at.snr_db:g}", name, _interval(found.psnr_db_UM), of_users,
                f"{found.ssim_UM.mean():.4f}", "" if found is first else _interval(difference),
            ]  # fmt: skip


def _interval(values: Values) -> str:
    """Return the mean and half of its 95 % interval; an image sent by several users counts once."""
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
        "codecs", nargs="+", type=Path, help="names or folders; the first one is the base"
    )
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder of data sets")
    parser.add_argument("--dataset", help="data set of the images (default: the first codec's)")
    parser.add_argument(
        "--images", type=int, help="number of images, from the first on (default: all)"
    )
    parser.add_argument("--snr-db", type=float, nargs="+", default=SNRS_DB)
    parser.add_argument("--channels", nargs="+", choices=CHANNELS, default=CHANNELS)
    parser.add_argument("--users", type=int, default=2, help="number of users in a slot")
    parser.add_argument("--seed", type=int, default=0, help="seed of the channel")
    return parser.parse_args(words)


def _main(words: list[str]) -> int:
    take_every_character()
    arguments = _arguments(words)
    try:
        opened = [open_checkpoint(codec_folder(codec)) for codec in arguments.codecs]
        if arguments.users < 1 or (arguments.images is not None and arguments.images < 1):
            raise ConfigurationError("--users, --images: at least 1")
        systems = {
            each.folder.name: (load_link(each, users=arguments.users), load_refiner(each))
            for each in opened
        }
        if len(systems) < len(opened):
            raise ConfigurationError("two codecs have the same name; rename the folder of one")
        dataset = arguments.dataset or opened[0].manifest.dataset
        images = np.array(Shard(arguments.data / dataset, "test").images_NHWC[: arguments.images])
        for name, (link, _) in systems.items():
            if images.shape[1:] != link.architecture.item:
                raise ConfigurationError(
                    f"codec {name} does not take images like those of {dataset}"
                )
        points = [
            Condition(channel=channel, snr_db=snr_db, users=arguments.users, seed=arguments.seed)
            for channel in arguments.channels
            for snr_db in arguments.snr_db
        ]
        out = Terminal()
        out.print("channel | SNR dB | codec | PSNR dB | of users | SSIM | against the first, dB")
        for row in table_rows(systems, images, points):
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
