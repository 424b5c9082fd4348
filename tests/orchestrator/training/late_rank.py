"""Run under torchrun: the second rank asks for the teacher's features when the first has begun.

Each rank writes the sum of the targets that it would hand to a student.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import torch

from orchestrator.training.data import Epoch, EpochKey, ImageSet
from orchestrator.training.features import TeacherFeatures
from orchestrator.training.ranks import all_equal, joined_ranks
from orchestrator.training.settings import AugmentationSettings

AUGMENTATION = AugmentationSettings(views=1)
LATE_S = 1.0


def main(data_dir: Path, out: Path) -> None:
    """Prepare one view and its whitening, the second rank late."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    encoder = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3072, 8))
    images = ImageSet(data_dir / "shapes10", "train", 64)
    cpu = torch.device("cpu")
    with joined_ranks(cpu) as rank:
        assert all_equal([3, 4], rank, cpu)
        assert not all_equal([3, rank.index], rank, cpu)
        features = TeacherFeatures(
            encoder,
            lambda pixels: pixels.float() / 255.0,
            images=images,
            augmentation=AUGMENTATION,
            seed=0,
            bf16=False,
            whitening=0.99,
        )
        time.sleep(LATE_S * rank.index)
        features.prepare(out / "features", rank, lambda done, total: None)
        key = EpochKey(0, "stage1", 0)
        batch = Epoch(images, AUGMENTATION, key=key, batch=64, views=True)[0]
        (out / f"rank-{rank.index}").write_text(str(float(features.of(batch).abs().sum())))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
