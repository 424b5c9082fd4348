"""What is asked of a fork server: a command, and what it has from the process that asks."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
# Modules that start no processes, or wish them fresh; all others have a server of their own.
LEAVES = ("channel_sim.", "orchestrator.training.", "receiver.", "transmitters.")
# Set for children by `semcom/children.py`: handled here, or without influence on what they do.
SET_FOR_CHILDREN = {"PYTHONSAFEPATH": "1", "TORCH_CPP_LOG_LEVEL": "ERROR"}
MAX_BYTES = 100_000  # of a request


@dataclass(frozen=True)
class Request:
    """A command, and what it has from the process that asked for it."""

    words: list[str]  # after the interpreter
    folder: str
    environment: dict[str, str]
    new_session: bool
    parent: int

    @property
    def safe_path(self) -> bool:
        """Return whether the current folder holds no modules for it."""
        return self.words[0] == "-P" or bool(self.environment.get("PYTHONSAFEPATH"))

    @property
    def program(self) -> list[str]:
        """Return its words without the option of the interpreter."""
        return self.words[self.words[0] == "-P" :]

    @property
    def module(self) -> str | None:
        """Return the module that is run, or None for a script."""
        return self.program[1] if self.program[0] == "-m" else None

    @property
    def launches(self) -> bool:
        """Return whether it may start processes itself."""
        return self.module is None or not f"{self.module}.".startswith(LEAVES)

    def encoded(self) -> bytes:
        """Return it as a message."""
        return json.dumps(asdict(self)).encode()
