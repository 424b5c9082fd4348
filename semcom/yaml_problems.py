"""Describe in our own words what PyYAML finds wrong with a text, and where."""

from __future__ import annotations

import re

from yaml import MarkedYAMLError
from yaml.error import Mark

# Beginning of PyYAML's message: our words. The first match is used.
AT_THE_PROBLEM = (
    (r"found character '\\t'", "a tab; indent with spaces"),
    (
        r"found character '(?P<it>.*)' that cannot start",
        "'{it}' cannot begin a value; put quotes around a string that begins like this",
    ),
    (
        r"mapping values are not allowed here",
        "this colon is out of place: put quotes around a string that contains ': ', write "
        "a space after "
        "the colon of a key, and indent all keys of a map equally",
    ),
    (
        r"sequence entries are not allowed here",
        "'-' cannot begin a list here: begin it on a new line",
    ),
    (
        r"mapping keys are not allowed here",
        "'?' is not allowed here; put quotes around such a string",
    ),
    (
        r"expected the node content, but found '<(stream|document) ",
        "the file ends inside a list or map: close its bracket",
    ),
    (
        r"expected the node content, but found '(?P<it>.*)'",
        "a key or value is missing before '{it}'",
    ),
    (
        r"found unknown escape character '(?P<it>.*)'",
        r"'\{it}' is not an escape: write '\\' for one '\', or put the string in single quotes",
    ),
    (
        r"expected escape sequence of (?P<it>\d+) hexadecimal",
        "an escape takes {it} hexadecimal digits; there are no escapes in single quotes",
    ),
    (
        r"expected (chomping|indentation) ",
        "'|' and '>' begin a string of several lines, which starts on the next line; put quotes "
        "around a string that begins like this",
    ),
    (
        r"expected a comment or a line break",
        "nothing may follow on this line; put quotes around the string",
    ),
    (
        r"expected '<document start>'",
        "this does not belong to the lines above: indent all keys of a map equally",
    ),
    (
        r"expected alphabetic or numeric character",
        "a name must follow '&' and '*'; put quotes around a string that begins like this",
    ),
    (r"found duplicate anchor", "'&' gives a second name to one value"),
    (
        r"found incompatible YAML document|found duplicate YAML directive",
        "the directive %YAML must occur once, with 1.1 or 1.2",
    ),
    (r"found (unexpected )?document separator|found unexpected ':'", "quotes are not closed"),
)
ENDS_INSIDE = r"found unexpected (end of stream|document separator)"
UNCLOSED = r"expected ',' or '(?P<bracket>[\]}])', but got"
NO_COLON = r"could not find expected ':'"
NOT_IN_BLOCK = r"expected <block end>"


def in_words(error: MarkedYAMLError) -> tuple[str, Mark | None]:
    """Return what is wrong and where."""
    problem, begun, found = error.problem or "", error.context_mark, error.problem_mark
    if begun is not None:
        if re.match(ENDS_INSIDE, problem):
            return "the quotes that open here are not closed", begun
        if re.match(NO_COLON, problem):
            return "a key without a colon: expected 'key: value'", begun
        unclosed = re.match(UNCLOSED, problem)
        if unclosed is not None:
            opening = "[" if unclosed["bracket"] == "]" else "{"
            closing = f"',' or '{unclosed['bracket']}' is missing {_place(found)}"
            return f"'{opening}' is not closed: {closing}", begun
        if re.match(NOT_IN_BLOCK, problem):
            kind = "list" if "collection" in (error.context or "") else "map"
            return (
                f"this does not belong to the {kind} that begins {_place(begun)}: "
                f"indent entries of one map or list equally, and quote strings as a whole",
                found,
            )
    for pattern, words in AT_THE_PROBLEM:
        match = re.match(pattern, problem)
        if match is not None:
            return words.format(**match.groupdict()), found
    if "tag" in (error.context or "") or "directive" in (error.context or ""):
        why = "a tag ('!') or directive ('%') is not accepted; put quotes around such a string"
        return why, found
    return problem, found or begun


def _place(mark: Mark | None) -> str:
    return "" if mark is None else f"in line {mark.line + 1}, column {mark.column + 1}"
