"""Where things lie on this machine."""

from __future__ import annotations

from pathlib import Path

from semcom.settings import Settings


class Folders(Settings):
    """Folders of data sets, codecs and runs; relative to where the command is given."""

    data: Path = Path("data")
    codecs: Path = Path("codecs")
    runs: Path = Path("runs")

    def absolute(self) -> Folders:
        """The same folders, for processes that run elsewhere."""
        return Folders(
            data=self.data.resolve(), codecs=self.codecs.resolve(), runs=self.runs.resolve()
        )
