"""Tasks: the form of an answer, how it is judged, and its metrics.

    classification   a class per image; share of correct answers
    reconstruction   an image per image; PSNR, SSIM, mean squared error
    text             a sentence per sentence; BLEU, word, character and bit error rates

Your own task is a subclass of `Task` that an installed package registers under the entry-point
group `rkd_sc.tasks`.
"""

from __future__ import annotations

from semcom.tasks.metric import Metric
from semcom.tasks.registry import AnyTask, task_of
from semcom.tasks.score import Score, merged
from semcom.tasks.task import Task

__all__ = ["AnyTask", "Metric", "Score", "Task", "merged", "task_of"]
