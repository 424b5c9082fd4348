"""The losses of robust knowledge distillation, section III-C, and distillation of logits.

Shape legend: B batch, D feature width, T classes.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from orchestrator.training.settings import DistillationSettings
from orchestrator.training.stage import Losses
from orchestrator.training.training_link import LinkOutput


def feature_distillation(teacher_BD: Tensor, student_BD: Tensor) -> Losses:
    """Stage 1: l_KD = ||h_T - h||^2 / N, mean over the batch, eq. (23)-(25)."""
    return {"kd": F.mse_loss(student_BD.float(), teacher_BD.float())}


def task(logits_BT: Tensor, labels_B: Tensor, *, label_smoothing: float = 0.0) -> Losses:
    """Cross entropy of the task."""
    loss = F.cross_entropy(logits_BT.float(), labels_B, label_smoothing=label_smoothing)
    return {"task": loss}


def joint(
    output: LinkOutput, teacher_BD: Tensor, labels_B: Tensor, settings: DistillationSettings
) -> Losses:
    """Stage 2: l_KD MSE(h_T, h~) + l_RE MSE(sg h, h~) + l_task CE, eq. (26); weighted terms."""
    recovered_BD = output.recovered_BD.float()
    return {
        "kd": settings.kd_weight * F.mse_loss(recovered_BD, teacher_BD.float()),
        "re": settings.re_weight * F.mse_loss(recovered_BD, output.features_BD.detach().float()),
        "task": settings.task_weight * F.cross_entropy(output.logits_BT.float(), labels_B),
    }


def logit_distillation(
    output: LinkOutput, clean_BT: Tensor, settings: DistillationSettings
) -> Losses:
    """Return T^2 KL(y || y~), weighted, mean over the batch.

    Args:
        output: of the link, with the logits y~.
        clean_BT: logits y of the feature before the channel, which are followed.
        settings: weight and temperature T.
    """
    temperature = settings.logit_temperature
    ours = F.log_softmax(output.logits_BT.float() / temperature, dim=1)
    theirs = F.log_softmax(clean_BT.detach().float() / temperature, dim=1)
    divergence = F.kl_div(ours, theirs, reduction="batchmean", log_target=True)
    return {"logits": settings.logit_weight * temperature**2 * divergence}
