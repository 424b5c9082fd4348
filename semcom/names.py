"""Valid names of peers, links, codecs, data sets and runs; a name is never a path."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import Field

from semcom.errors import ConfigurationError

NAME_PATTERN = "^[a-z0-9][a-z0-9._-]{0,63}$"
MAX_QUOTED = 80
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


def is_name(text: str) -> bool:
    """Return whether a text may be a name."""
    return re.fullmatch(NAME_PATTERN, text) is not None


def check_name(text: str, *, what: str) -> str:
    """Return a name that a user gave, such as `--revoke NAME`, if it is one.

    Raises:
        ConfigurationError: it is none; `what` says which one.
    """
    if not is_name(text):
        quoted = repr(text) if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]!r}..."
        raise ConfigurationError(
            f"{what} {quoted} is no name: it must match {NAME_PATTERN}, and is never a path"
        )
    return text
