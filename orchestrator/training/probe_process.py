"""`python -m orchestrator.training.probe_process CODEC...`: do the networks of codecs compute?

`semcom checkpoints verify` starts it if torch is installed. The two halves in each folder are
loaded as in a transmitter and a receiver, which runs each of them once (`semcom/probe.py`).
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path

from semcom.checkpoints import open_checkpoint
from semcom.entry import run_process
from semcom.errors import ConfigurationError, SemcomError


def main(folders: Sequence[str]) -> int:
    """Load all codecs; return the exit code of the first refused one, with its line on stderr."""
    for folder in folders:
        try:
            checkpoint = open_checkpoint(Path(folder))
            checkpoint.load_transmitter()
            checkpoint.load_receiver()
        except ConfigurationError as error:  # an encoder of timm, which is not installed
            sys.stdout.write(f"{folder}: its networks were not run: {error}\n")
        except SemcomError as error:
            sys.stderr.write(f"error: {error}\n")
            return error.exit_code
        except Exception:
            traceback.print_exc()
            return SemcomError.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(run_process(lambda: main(sys.argv[1:])))
