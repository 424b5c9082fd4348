"""Tasks: what an answer is, how it is judged, and which metrics come of it.

    classification   a class per image; share of right answers
    reconstruction   an image per image; PSNR, mean squared error, SSIM
    text             a sentence per sentence; BLEU, word, character and bit error rates

Your own task is a subclass of `Task` that an installed package names under the entry-point
group `rkd_sc.tasks`.
"""

from __future__ import annotations

from semcom.tasks.metric import Metric
from semcom.tasks.registry import AnyTask, task_of
from semcom.tasks.score import Score, merged
from semcom.tasks.task import Task

__all__ = ["AnyTask", "Metric", "Score", "Task", "merged", "task_of"]
