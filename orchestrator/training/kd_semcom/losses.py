"""Losses of a codec of sentences: cross entropy, eq. (10), and distillation, eq. (26) and (28).

Shape legend: B sentences, T tokens, O outputs of a token at a point.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from orchestrator.training.kd_semcom.link import TextOutput
from orchestrator.training.kd_semcom.settings import DistillationTerms
from orchestrator.training.stage import Losses
from semcom.vocabulary import PAD


def cross_entropy(output: TextOutput, tokens_BT: Tensor) -> Losses:
    """CE of the logits with the tokens that were sent, mean over tokens."""
    logits = output.s_hat.float().flatten(0, 1)
    return {"ce": F.cross_entropy(logits, tokens_BT.flatten(), ignore_index=PAD)}


def distillation(
    student: TextOutput, teacher: TextOutput, tokens_BT: Tensor, terms: DistillationTerms
) -> Losses:
    """Return the weighted terms of eq. (28); a term that is switched off is not there."""
    there_BT = tokens_BT != PAD
    losses: Losses = {}
    if terms.cross_entropy:
        weight = 1.0 - sum(terms.weights.values())
        losses["ce"] = weight * cross_entropy(student, tokens_BT)["ce"]
    for name, weight in terms.weights.items():
        pair = getattr(student, name)[there_BT], getattr(teacher, name)[there_BT]
        losses[name] = weight * divergence(*pair, terms)
    return losses


def divergence(student_NO: Tensor, teacher_NO: Tensor, terms: DistillationTerms) -> Tensor:
    """T^2 KL over the last axis of outputs softened by T, mean over tokens."""
    temperature = terms.temperature
    ours = F.log_softmax(student_NO.float() / temperature, dim=-1)
    theirs = F.log_softmax(teacher_NO.detach().float() / temperature, dim=-1)
    # kl_div(a, b) is KL(b || a).
    first, second = (ours, theirs) if terms.direction == "teacher" else (theirs, ours)
    return temperature**2 * F.kl_div(first, second, reduction="batchmean", log_target=True)
