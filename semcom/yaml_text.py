"""Reads the YAML of settings files: maps, lists and plain values, within bounds.

PyYAML splits the text into events; this module interprets them by the core schema of YAML 1.2:
`1e-2` is a number, `2026-01-01` a string. A plain value with another meaning in YAML 1.1 (`010`,
`1:30`, `1_000`, `yes`) is refused, because YAML readers differ. Keys are strings. Tags and merge
keys are not supported.

A second library would have to be installed on every edge device, and no well-maintained one reads
only the core schema: ruamel.yaml, for example, reads `1_000` as a number and `2026-01-01` as a
date.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import yaml
from yaml.error import Mark

from semcom.yaml_problems import in_words

MAX_DEPTH = 64
MAX_VALUES = 150_000  # with those that aliases repeat
MAX_DIGITS = 40
MAX_QUOTED = 40
MAX_PATH = 8  # nested keys that an error names

NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
# The core schema of YAML 1.2, section 10.3.2 of its specification.
WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
WHOLE = re.compile(r"[-+]?[0-9]+")
BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
# Values with another meaning in YAML 1.1.
LEADING_ZERO = re.compile(r"[-+]?0[0-9]+")
SWITCH = re.compile(r"yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF")
OTHER_NUMBER = re.compile(
    r"[-+]?0b[01_]+|[-+]0x[0-9a-fA-F_]+|0x[0-9a-fA-F_]+"
    r"|[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"
    r"|[-+]?([0-9][0-9_]*)(\.[0-9_]*)?([eE][-+]?[0-9]+)?|[-+]?\.[0-9][0-9_]*([eE][-+]?[0-9]+)?"
)


class YamlError(ValueError):
    """A text that is not accepted, with its line and column, both from 1."""

    def __init__(self, reason: str, *, line: int, column: int) -> None:
        super().__init__(f"line {line}, column {column}: {reason}")
        self.line, self.column = line, column


class Anchored(NamedTuple):
    """Value of an anchor, and the number of values in it."""

    value: Any
    size: int


def decode(content: bytes) -> str:
    """Return the text of a file in UTF-8, without a byte order mark.

    Raises:
        YamlError: it has another encoding, or is not text.
    """
    for mark, encoding in OTHER_ENCODINGS.items():
        if content.startswith(mark):
            raise YamlError(f"the file is in {encoding}; save it as UTF-8", line=1, column=1)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start]
        byte, line = content[error.start], before.count(b"\n") + 1
        column = len(before.rpartition(b"\n")[2].decode(errors="replace")) + 1
        reason = f"the byte 0x{byte:02x} is not UTF-8; save the file as UTF-8"
        raise YamlError(reason, line=line, column=column) from error


def parse(text: str) -> Any:
    """Return the value of a YAML text: maps, lists, strings, numbers, true, false and None.

    Raises:
        YamlError: it is not YAML, or uses features that settings do not support.
    """
    text = text.removeprefix("\ufeff")
    wrong = NOT_TEXT.search(text)
    if wrong is not None:
        before = text[: wrong.start()]
        code = ord(wrong[0])
        hint = "; is the file in UTF-16? Save it as UTF-8" if code == 0 else ""
        raise YamlError(
            f"the character U+{code:04X} is not allowed in text{hint}",
            line=before.count("\n") + 1,
            column=len(before.rpartition("\n")[2]) + 1,
        )
    builder = Builder(text)
    try:
        return builder.document()
    except yaml.MarkedYAMLError as error:
        reason, mark = in_words(error)
        raise builder.error(reason, mark) from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        if isinstance(error, YamlError):
            raise
        # PyYAML's own errors: an escape beyond Unicode, a version with thousands of digits.
        raise builder.error(f"cannot be read from here on ({error})", builder.last) from error


class Builder:
    """Builds values from the events of one text."""

    def __init__(self, text: str) -> None:
        self.last: yaml.Event | None = None
        self._text = text
        self._events = self._marked(text)
        self._path: list[str | int] = []
        self._anchors: dict[str, Anchored | None] = {}  # None: still being built
        self._values = 0

    def document(self) -> Any:
        """Return the value of the only document; None if there is none."""
        next(self._events)
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        value = self._value(next(self._events), depth=0)
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self.error("a second document begins here; a file holds one", after)
        return value

    def error(self, reason: str, at: yaml.Event | Mark | None) -> YamlError:
        """Return the error for a place, with the key that is being read."""
        mark = at.start_mark if isinstance(at, yaml.Event) else at
        inside = ".".join(_shown(str(part)) for part in self._path[:MAX_PATH])
        where = f" (in {inside})" if inside else ""
        line, column = (1, 1) if mark is None else (mark.line + 1, mark.column + 1)
        return YamlError(f"{' '.join(reason.split())}{where}", line=line, column=column)

    def _marked(self, text: str) -> Iterator[yaml.Event]:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            self.last = event
            yield event

    def _value(self, event: yaml.Event, *, depth: int) -> Any:
        if isinstance(event, yaml.AliasEvent):
            return self._repeated(event)
        assert isinstance(event, yaml.NodeEvent)
        if depth > MAX_DEPTH:
            raise self.error(f"more than {MAX_DEPTH} levels of nesting", event)
        if getattr(event, "tag", None) is not None:
            reason = "tags ('!...') are not accepted; a string that begins with '!' needs quotes"
            raise self.error(reason, event)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        before = self._values
        self._count(1, event)
        value: Any
        if isinstance(event, yaml.MappingStartEvent):
            value = self._map(depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._list(depth)
        else:
            assert isinstance(event, yaml.ScalarEvent)
            value = self._scalar(event)
        if event.anchor is not None:
            self._anchors[event.anchor] = Anchored(value, self._values - before)
        return value

    def _repeated(self, event: yaml.AliasEvent) -> Any:
        """Return the value of an alias."""
        name = event.anchor or ""
        if name not in self._anchors:
            raise self.error(f"'*{_shown(name)}': no '&{_shown(name)}' before it", event)
        found = self._anchors[name]
        if found is None:
            raise self.error(f"'*{_shown(name)}' is inside the value that it refers to", event)
        self._count(found.size, event)
        return found.value

    def _count(self, values: int, event: yaml.Event) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            reason = f"more than {MAX_VALUES:,} values, including those repeated by aliases"
            raise self.error(reason, event)

    def _list(self, depth: int) -> list[Any]:
        values: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            self._path.append(len(values))
            values.append(self._value(event, depth=depth + 1))
            self._path.pop()
        return values

    def _map(self, depth: int) -> dict[str, Any]:
        values: dict[str, Any] = {}
        lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            line = 1 if event.start_mark is None else event.start_mark.line + 1
            if key in values:
                reason = f"the key '{_shown(key)}' is given twice, first in line {lines[key]}"
                raise self.error(reason, event)
            lines[key] = line
            self._path.append(key)
            following = next(self._events)
            if ":" in key and _is_nothing(following):
                self._path.pop()
                name, _, value = key.partition(":")
                reason = f"a space is missing after the colon: {_shown(name)}: {_shown(value)}"
                raise self.error(reason, event)
            values[key] = self._value(following, depth=depth + 1)
            self._path.pop()
        return values

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self.error("a key must be a string, not a list, map or alias", event)
        if event.tag is not None or event.anchor is not None:
            raise self.error("a key must not have a tag ('!') or an anchor ('&')", event)
        if event.implicit[0] and event.value == "<<":
            reason = "merge keys ('<<') are not accepted; write out the merged keys"
            raise self.error(reason, event)
        if event.implicit[0] and event.value == "":
            raise self.error("a key is missing before the colon", event)
        return self._checked(event)

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        text = self._checked(event)
        if not event.implicit[0]:  # in quotes, or several lines
            return text
        if text in WORDS:
            return WORDS[text]
        if SWITCH.fullmatch(text):
            meant = "true" if text.lower() in ("yes", "on") else "false"
            hint = f"write {meant}, or quotes around a text"
            raise self.error(f"{text} is {meant} in YAML 1.1 only; {hint}", event)
        return self._number(text, event)

    def _number(self, text: str, event: yaml.Event) -> int | float | str:
        """Return the number of a plain scalar, or its text if it is not a number."""
        if not (text[0] in "+-." or text[0].isdigit()):
            return text
        if LEADING_ZERO.fullmatch(text):
            plain = text[0].strip("+0123456789") + (text.lstrip("+-0") or "0")
            hint = f"write {_shown(plain)}, 0o... for octal digits, or quotes around a text"
            raise self.error(f"{_shown(text)} begins with 0, octal in YAML 1.1; {hint}", event)
        if WHOLE.fullmatch(text) or BASED.fullmatch(text):
            if len(text) > MAX_DIGITS:
                raise self.error(f"a number of {len(text)} digits", event)
            return int(text, 0)
        if NOT_FINITE.fullmatch(text):
            return float(text.replace(".", ""))
        if FLOAT.fullmatch(text):
            number = float(text)
            if number in (float("inf"), float("-inf")):
                raise self.error(f"{_shown(text)} is too large for a number", event)
            return number
        if OTHER_NUMBER.fullmatch(text):
            hint = "write it with decimal digits only, or put quotes around a string"
            raise self.error(f"{_shown(text)} is a number in YAML 1.1 only; {hint}", event)
        return text

    def _checked(self, event: yaml.ScalarEvent) -> str:
        """Return the text of an event; refuse escapes for characters that are not text."""
        text: str = event.value
        wrong = next((c for c in text if c == "\0" or "\ud800" <= c <= "\udfff"), None)
        if wrong is not None:
            reason = f"an escape makes the character U+{ord(wrong):04X}, which is not "
            "allowed in text"
            raise self.error(reason, event)
        return text


def _is_nothing(event: yaml.Event) -> bool:
    return isinstance(event, yaml.ScalarEvent) and event.implicit[0] and event.value == ""


def _shown(text: str) -> str:
    """Return a text, truncated and without characters that would break the line."""
    safe = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[: MAX_QUOTED + 1])
    return safe if len(text) <= MAX_QUOTED else f"{safe[:MAX_QUOTED]}..."
