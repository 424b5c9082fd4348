"""`python -m orchestrator.training.check_process ARGUMENTS`: check a job's arguments and settings.

Nothing is trained or written. `semcom jobs submit` runs it before it queues a job.
"""

from __future__ import annotations

import sys

from orchestrator.training.arguments import parse, settings_of
from semcom.entry import run_process
from semcom.errors import SemcomError
from semcom.plain_text import take_every_character, tell_error


def main(words: list[str]) -> int:
    """Check the arguments of `semcom train`; return the exit code with which the job would end."""
    take_every_character()
    try:
        settings_of(parse(words))
    except SemcomError as error:
        tell_error(str(error))
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(run_process(lambda: main(sys.argv[1:])))
