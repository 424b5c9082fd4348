"""Write a codec together with the results that it reaches, as it was written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from orchestrator.training.settings import JobSettings
from semcom.checkpoints import Checkpoint

Results = dict[str, Any]


def write_measured(
    folder: Path,
    settings: JobSettings,
    *,
    write: Callable[[Path, Results], Checkpoint],
    measure: Callable[[Checkpoint], Results],
) -> Checkpoint:
    """Write a draft, measure it, then write the codec with its results.

    An existing codec stays in the folder until the new one is measured.

    Args:
        folder: of the codec.
        settings: of the job, in whose work folder the draft lies.
        write: writes the codec with these results to a folder.
        measure: returns the results of a written codec.
    """
    draft = settings.work_dir / settings.name / "draft"
    try:
        results = measure(write(draft, {}))
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return write(folder, results)
