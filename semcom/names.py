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
    """Return whether a string is a valid name."""
    return re.fullmatch(NAME_PATTERN, text) is not None


def check_name(text: str, *, what: str) -> str:
    """Return a name that a user gave, such as `--revoke NAME`, if it is valid.

    Raises:
        ConfigurationError: the name is not valid; `what` says in the message what it names.
    """
    if not is_name(text):
        quoted = repr(text) if len(text) <= MAX_QUOTED else f"{text[:MAX_QUOTED]!r}..."
        raise ConfigurationError(
            f"{what} {quoted} is not a valid name: it must match {NAME_PATTERN}; paths "
            "are not accepted"
        )
    return text
