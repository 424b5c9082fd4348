"""Hides packages from a Python that starts with this folder on its path: HIDDEN=torch,typer."""

import os
import sys


class Hiding:
    """Finds no package that is hidden, as if it were not installed."""

    hidden = frozenset(os.environ.get("HIDDEN", "").split(","))

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        """Say so of a hidden package; leave all others to the next finder."""
        if name.partition(".")[0] in cls.hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Hiding)
