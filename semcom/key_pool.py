"""Keys for any number of processes of one kind: each takes a free one.

A key is held by a lock on its file in `secret/`. The kernel releases the lock when its holder ends,
however it ends, so the next process finds the key free; a stopped process keeps it.
"""

from __future__ import annotations

import fcntl
import os

from semcom.errors import ConfigurationError
from semcom.files import open_regular
from semcom.keys import AUTHORIZED, SECRET, KeyFolder
from semcom.messages import Role
from semcom.plain_text import command

# Open for the lifetime of this process: closing one would release its key.
_held: list[int] = []


def is_pattern(name: str) -> bool:
    """Return whether a name is a pattern for any key of a pool, such as `receiver-*`."""
    return name.endswith("*")


def claim(keys: KeyFolder, role: Role, pattern: str) -> str:
    """Take the first matching key that no running process of this host holds; return its name.

    Keys that are no longer authorised are skipped.

    Raises:
        ConfigurationError: none is free.
    """
    authorized = {key.name for key in keys.listed(AUTHORIZED) if key.role == role}
    found = sorted((keys.path / SECRET).glob(f"{pattern}.yaml"), key=lambda p: (len(p.stem), p))
    usable = [path for path in found if path.stem in authorized]
    for path in usable:
        try:
            descriptor = open_regular(path)
        except OSError as error:
            raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            continue
        _held.append(descriptor)
        return path.stem
    another = f"{role}:{pattern.removesuffix('*')}{len(found) + 1}"
    raise ConfigurationError(
        f"{role} {pattern} has no key: {len(usable)} in {keys.path}, all in use by other "
        "processes; "
        f"make more with: {command('semcom', 'keys', keys.path, '--peer', another)}"
    )
