"""Losses of a codec of sentences: cross entropy, eq. (10), and distillation, eq. (26) and (28).

Shape legend: B sentences, T tokens, N tokens of all sentences without padding, O outputs of a token
at a point.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor

from orchestrator.training.kd_semcom.link import TextOutput
from orchestrator.training.kd_semcom.settings import DistillationTerms
from orchestrator.training.stage import Losses
from semcom.vocabulary import PAD


def cross_entropy(output: TextOutput, tokens_BT: Tensor) -> Losses:
    """Return the cross entropy of the logits with the sent tokens, mean over tokens."""
    return {"ce": F.cross_entropy(output.s_hat.float(), tokens_BT[tokens_BT != PAD])}


def distillation(
    student: TextOutput, teacher: TextOutput, tokens_BT: Tensor, terms: DistillationTerms
) -> Losses:
    """Return the weighted terms of eq. (28) that are switched on."""
    there_BT = tokens_BT != PAD
    losses: Losses = {}
    if terms.cross_entropy:
        weight = 1.0 - sum(terms.weights.values())
        losses["ce"] = weight * cross_entropy(student, tokens_BT)["ce"]
    for name, weight in terms.weights.items():
        mine, theirs = getattr(student, name), getattr(teacher, name)
        if name != "s_hat":  # logits exist only for these tokens
            mine, theirs = mine[there_BT], theirs[there_BT]
        losses[name] = weight * divergence(mine, theirs, terms)
    return losses


def divergence(student_NO: Tensor, teacher_NO: Tensor, terms: DistillationTerms) -> Tensor:
    """Return T^2 KL over the last axis of outputs softened by T, mean over tokens."""
    temperature = terms.temperature
    ours = F.log_softmax(student_NO.float() / temperature, dim=-1)
    theirs = F.log_softmax(teacher_NO.detach().float() / temperature, dim=-1)
    # kl_div(a, b) is KL(b || a).
    first, second = (ours, theirs) if terms.direction == "teacher" else (theirs, ours)
    return temperature**2 * F.kl_div(first, second, reduction="batchmean", log_target=True)
