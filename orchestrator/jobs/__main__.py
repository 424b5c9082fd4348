"""`python -m orchestrator.jobs --work DIR`: the supervisor; `semcom jobs` starts it."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from semcom.extras import imports_for

with imports_for("jobs", "orchestrator", json_line=True):
    from orchestrator.jobs.service import supervise
    from orchestrator.jobs.settings import JobsFolder, read_settings
    from semcom.entry import run_process
    from semcom.service import exit_code_of
    from semcom.telemetry import event, log_json, say_as_json

logger = logging.getLogger("orchestrator.jobs")


def main(argv: list[str] | None = None) -> int:
    """Run the supervisor; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m orchestrator.jobs", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("training"), help="folder of artefacts")
    parser.add_argument("--parallel", type=int, help="jobs that run at the same time")
    arguments = parser.parse_args(argv)
    folder = JobsFolder(arguments.work.absolute())
    log_json()

    def work() -> None:
        if supervise(folder, read_settings(folder, parallel=arguments.parallel)) is None:
            event(logger, "another supervisor runs for this folder")

    return run_process(lambda: exit_code_of(work, logger), say=say_as_json)


if __name__ == "__main__":
    sys.exit(main())
