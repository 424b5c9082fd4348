"""Text for terminals, pipes and logs: visible characters, commands that can be pasted.

Names, paths and texts of other programs may contain any character. None may control a terminal,
break a line, or end a command because a terminal lacks it.
"""

from __future__ import annotations

import io
import os
import shlex
import sys
from pathlib import PurePath

# Control characters except tab and newline, line separators, and marks of the writing direction.
_STEERING = (
    *range(0x09), *range(0x0B, 0x20), *range(0x7F, 0xA0),
    0x2028, 0x2029, *range(0x202A, 0x202F), *range(0x2066, 0x206A),
)  # fmt: skip
_SHOWN = {code: chr(code).encode("unicode_escape").decode() for code in _STEERING}
_ON_ONE_LINE = _SHOWN | {0x09: r"\t", 0x0A: r"\n"}
# Characters that are literal in a shell's $'...'; every other byte is written as \ooo.
_AS_IT_IS = frozenset(range(0x20, 0x7F)) - frozenset(b"\\'")


def visible(text: str) -> str:
    """Return the text with its control characters as escapes; tabs and line ends are kept."""
    return text.translate(_SHOWN)


def one_line(text: str) -> str:
    """Return the text on one line, with all its control characters as escapes."""
    return text.translate(_ON_ONE_LINE)


def command(*words: object) -> str:
    """Return a command line that a shell splits into exactly these words.

    A path that starts with a hyphen gets `./` before it, so that it is not an option.
    """
    return " ".join(_quoted(_text_of(word)) for word in words)


def option(name: str, value: object, default: object = None) -> list[object]:
    """Return the words of an option; none if the value is the default."""
    return [] if value == default else [name, value]


def take_every_character() -> None:
    """Make standard output and error escape characters that they cannot encode, and never None.

    A process whose descriptors were closed before it started has no streams at all.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115, PTH123
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def tell_error(text: str) -> None:
    """Write `error: text` on one line to standard error, in red on a terminal."""
    line = f"error: {one_line(text)}"
    stream = sys.stderr
    if stream is None:  # closed before the process started
        return
    if stream.isatty() and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb":
        line = f"\x1b[31m{line}\x1b[0m"
    try:
        stream.write(f"{line}\n")
        stream.flush()
    except (OSError, ValueError):  # no reader: only the exit code remains
        pass


def _text_of(word: object) -> str:
    text = str(word)
    return f"./{text}" if isinstance(word, PurePath) and text.startswith("-") else text


def _quoted(word: str) -> str:
    """Return the word for a shell, as `$'...'` with its bytes if it cannot be printed unchanged."""
    if one_line(word) == word and _is_encoded(word):
        return shlex.quote(word)
    letters = (chr(byte) if byte in _AS_IT_IS else f"\\{byte:03o}" for byte in _bytes_of(word))
    return f"$'{''.join(letters)}'"


def _is_encoded(word: str) -> bool:
    """Return whether standard output can encode all characters of a text."""
    try:
        word.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _bytes_of(word: str) -> bytes:
    try:
        return os.fsencode(word)
    except UnicodeEncodeError:  # not a file name
        return word.encode(errors="backslashreplace")
