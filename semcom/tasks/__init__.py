"""Tasks: what an answer is, how it is judged, and which metrics come of it.

    classification   a class per image; share of right answers
    reconstruction   an image per image; PSNR, mean squared error, SSIM

A task is the one place that knows what an answer means. Everything else moves answers as bytes of a
stated form, adds up the named sums of their Scores, and shows the Metrics that the task lists.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from semcom.tasks.classification import Classification
from semcom.tasks.reconstruction import Reconstruction

# What a codec's manifest says of its task.
AnyTask = Annotated[Classification | Reconstruction, Field(discriminator="kind")]
