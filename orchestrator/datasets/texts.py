"""Read text files of users, bounded, and only if their encoding is certain."""

from __future__ import annotations

import codecs
from pathlib import Path

from semcom.errors import ConfigurationError
from semcom.files import read_file

MAX_BYTES = 64 << 20  # the official words.txt has 2.6 MB
# UTF-32's mark begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def read_lines(path: Path) -> list[str]:
    """Return the lines of a text in UTF-8, or in UTF-16 or UTF-32 with a byte order mark.

    Raises:
        ConfigurationError: it is not readable, or not such a text.
    """
    content = read_content(path, MAX_BYTES)
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), "utf-8")
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigurationError(
            f"{path} is not text in UTF-8: byte 0x{content[error.start]:02x} in line {line}; "
            "save it as UTF-8"
        ) from error
    if "\0" in text:
        raise ConfigurationError(
            f"{path} is not text in UTF-8: it contains zero bytes; save it as UTF-8"
        )
    return text.splitlines()


def read_content(path: Path, max_bytes: int) -> bytes:
    """Return the bytes of a regular file.

    Raises:
        ConfigurationError: it is missing, not readable, not a regular file, or too large.
    """
    try:
        return read_file(path, max_bytes=max_bytes)
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}") from error
