"""Folders of data sets, codecs and runs on this machine."""

from __future__ import annotations

from pathlib import Path

from semcom.checkpoints import default_root
from semcom.errors import StorageError
from semcom.settings import Settings

# Default folders of commands.
DATA, RUNS, WORK = Path("data"), Path("runs"), Path("training")
CODECS = default_root()


class Folders(Settings):
    """Folders of data sets, codecs and runs; relative to the current folder."""

    data: Path = DATA
    codecs: Path = Path("codecs")
    runs: Path = RUNS

    def absolute(self) -> Folders:
        """Return absolute paths, for processes with another current folder.

        Raises:
            StorageError: the current folder was deleted, or one of them is a loop of links.
        """
        try:
            return Folders(
                data=self.data.resolve(), codecs=self.codecs.resolve(), runs=self.runs.resolve()
            )
        except (OSError, RuntimeError) as error:
            raise StorageError(f"cannot determine the path of {self.runs}: {error}") from error
