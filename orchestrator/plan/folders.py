"""Folders of data sets, codecs and runs on this machine."""

from __future__ import annotations

from pathlib import Path

from semcom.checkpoints import default_root
from semcom.errors import StorageError
from semcom.settings import Settings

# Where commands look if they are not told.
DATA, RUNS, WORK = Path("data"), Path("runs"), Path("training")
CODECS = default_root()


class Folders(Settings):
    """Folders of data sets, codecs and runs; relative to where the command is given."""

    data: Path = DATA
    codecs: Path = Path("codecs")
    runs: Path = RUNS

    def absolute(self) -> Folders:
        """The same folders, for processes that run elsewhere.

        Raises:
            StorageError: the current folder was deleted, or one of them is a loop of links.
        """
        try:
            return Folders(
                data=self.data.resolve(), codecs=self.codecs.resolve(), runs=self.runs.resolve()
            )
        except (OSError, RuntimeError) as error:
            raise StorageError(f"cannot tell where {self.runs} lies: {error}") from error
