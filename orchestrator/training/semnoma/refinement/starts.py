"""Chooses the start of the diffusion at each SNR, on images that were not used in training.

Shape legend: U users, M images, N = U M sent images, S image size.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import torch

from orchestrator.training.semnoma.evaluation import (
    Condition,
    as_answers,
    noise_of,
    recovered,
)
from orchestrator.training.semnoma.link import SlotLink
from orchestrator.training.semnoma.refinement.criteria import Criterion
from orchestrator.training.semnoma.refinement.settings import DiffusionSettings
from orchestrator.training.semnoma.settings import SlotChannel
from receiver.semnoma.refinement import DiffusionRefiner
from semcom.families.semnoma_refinement import Start

Means = dict[str, dict[str, float]]  # means of the criterion, by SNR and start


@torch.inference_mode()
def choose_starts(
    refiner: DiffusionRefiner,
    link: SlotLink,
    images_MSS3: npt.NDArray[np.uint8],
    *,
    settings: DiffusionSettings,
    by: tuple[Criterion, tuple[SlotChannel, ...]],
    report: Callable[[int, int], None],
) -> tuple[tuple[Start, ...], Means]:
    """Return the start with the best mean at each SNR, and all means.

    Every start of an SNR gets the same images, channel draws and noise.

    Args:
        refiner: the refinement; its table of starts is not used.
        link: the codec.
        images_MSS3: uint8 images that every user sends once.
        settings: the starts and the SNRs.
        by: the criterion and the channels.
        report: called with (done, total) before each SNR.
    """
    criterion, channels = by
    chosen: list[Start] = []
    found: Means = {}
    for number, snr_db in enumerate(settings.snr_db):
        report(number, len(settings.snr_db))
        values: dict[int, list[float]] = {start: [] for start in sorted(set(settings.starts))}
        for channel in channels:
            at = Condition(channel=channel, snr_db=snr_db, users=link.users)
            for chunk in recovered(link, images_MSS3, at):
                pixels, noise = chunk.pixels_N3HW, noise_of(chunk, at)
                for start, of_start in values.items():
                    refined = refiner.from_step(start, pixels, noise) if start else pixels
                    measured = criterion.measure(as_answers(refined), chunk.references_NSS3)
                    of_start.extend(measured.tolist())
        means = {start: float(np.mean(of_start)) for start, of_start in values.items()}
        chosen.append(Start(snr_db=snr_db, step=criterion.best(means)))
        found[f"{snr_db:g}"] = {str(start): round(mean, 6) for start, mean in means.items()}
    return tuple(chosen), found
