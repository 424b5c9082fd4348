"""Messages to a measuring process: one point of a link at a time.

The process answers with lines of an evaluation: `Finished`, or `EvaluationError`.

    sent, received    images uint8 (N, H, W, C) as .npy, or sentences as a list of texts in JSON
    values            float64 as .npy: (N,), a value per item, or (1,), one of all of them
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from semcom.evaluation_messages import Line

MeasureName = Literal["psnr", "ssim", "lpips", "ms_ssim", "fd_effnetlite0", "fid", "similarity"]


class MeasureJob(Line):
    """Request to compare received items with those sent.

    Attributes:
        measure: its name.
        weights: folder of the weights; None if it needs none.
        sent: file of the items sent.
        received: file of the answers.
        values: file to write.
        threads: of the network.
    """

    measure: MeasureName
    weights: Path | None
    sent: Path
    received: Path
    values: Path
    threads: int
