"""The losses of the family `semnoma`; each term is summed over the users of a slot.

Shape legend: U users, N slots, C channels of the feature, h, w its size, P = h w positions,
H height, W width.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from orchestrator.training.semnoma.settings import LossSettings
from orchestrator.training.stage import Losses


def recovery(pixels_UN3HW: Tensor, images_UN3HW: Tensor, settings: LossSettings) -> Losses:
    """Return the squared or absolute error of the recovered pixels, which are not clipped."""
    between = F.mse_loss if settings.image == "mse" else F.l1_loss
    error = between(pixels_UN3HW.float(), images_UN3HW)
    return {"image": settings.image_weight * len(images_UN3HW) * error}


def affinity(features_UNChw: Tensor) -> Tensor:
    """Return the cosine similarity of all pairs of positions: (U, N, C, h, w) -> (U, N, P, P)."""
    vectors_UNCP = F.normalize(features_UNChw.float().flatten(3), dim=2)
    return vectors_UNCP.transpose(2, 3) @ vectors_UNCP


def affinity_distillation(
    student_UNChw: Tensor, teacher_UNChw: Tensor, settings: LossSettings
) -> Losses:
    """Return the mean absolute difference of both features' affinities; none with weight 0."""
    if settings.affinity_weight == 0:
        return {}
    error = F.l1_loss(affinity(student_UNChw), affinity(teacher_UNChw))
    return {"affinity": settings.affinity_weight * len(student_UNChw) * error}


def cross_head(through_UN3HW: Tensor, teacher_UN3HW: Tensor, settings: LossSettings) -> Losses:
    """Return the mean absolute error of the teacher's tail on the student's middle map."""
    error = F.l1_loss(through_UN3HW.float(), teacher_UN3HW.float())
    return {"cross": settings.cross_weight * len(teacher_UN3HW) * error}
