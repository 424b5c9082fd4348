"""Says in our own words what PyYAML finds wrong with a text, and where the mistake is."""

from __future__ import annotations

import re

from yaml import MarkedYAMLError
from yaml.error import Mark

# What the problem begins with: our words. The first that fits is taken.
AT_THE_PROBLEM = (
    (r"found character '\\t'", "a tab; indent with spaces"),
    (
        r"found character '(?P<it>.*)' that cannot start",
        "'{it}' cannot begin a value; put quotes around a text that begins so",
    ),
    (
        r"mapping values are not allowed here",
        "this colon is out of place: put quotes around a text that holds ': ', write a space after "
        "the colon of a key, and indent the keys of one map alike",
    ),
    (
        r"sequence entries are not allowed here",
        "'-' cannot begin a list here: begin it in a line of its own",
    ),
    (r"mapping keys are not allowed here", "'?' cannot stand here; put quotes around such a text"),
    (
        r"expected the node content, but found '<(stream|document) ",
        "the text ends inside of a list or map: close its bracket",
    ),
    (
        r"expected the node content, but found '(?P<it>.*)'",
        "a key or value is missing before '{it}'",
    ),
    (
        r"found unknown escape character '(?P<it>.*)'",
        r"'\{it}' is no escape: write '\\' for one '\', or single quotes around the text",
    ),
    (
        r"expected escape sequence of (?P<it>\d+) hexadecimal",
        "an escape takes {it} hexadecimal digits; single quotes around the text know no escapes",
    ),
    (
        r"expected (chomping|indentation) ",
        "'|' and '>' begin a text of several lines, which starts in the next line; put quotes "
        "around a text that begins so",
    ),
    (
        r"expected a comment or a line break",
        "nothing may follow in this line; put quotes around the text",
    ),
    (
        r"expected '<document start>'",
        "this does not belong to what stands above: indent the keys of one map alike",
    ),
    (
        r"expected alphabetic or numeric character",
        "a name must follow '&' and '*'; put quotes around a text that begins so",
    ),
    (r"found duplicate anchor", "'&' gives a second name to one value"),
    (
        r"found incompatible YAML document|found duplicate YAML directive",
        "the directive %YAML must be 1.1 or 1.2, once",
    ),
    (r"found (unexpected )?document separator|found unexpected ':'", "quotes are not closed"),
)
ENDS_INSIDE = r"found unexpected (end of stream|document separator)"
UNCLOSED = r"expected ',' or '(?P<bracket>[\]}])', but got"
NO_COLON = r"could not find expected ':'"
NOT_IN_BLOCK = r"expected <block end>"


def in_words(error: MarkedYAMLError) -> tuple[str, Mark | None]:
    """Return what is wrong, and the place that it is said of."""
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
                f"indent what belongs together alike, and quote whole texts",
                found,
            )
    for pattern, words in AT_THE_PROBLEM:
        match = re.match(pattern, problem)
        if match is not None:
            return words.format(**match.groupdict()), found
    if "tag" in (error.context or "") or "directive" in (error.context or ""):
        return "a tag ('!') or directive ('%') is not taken; put quotes around such a text", found
    return problem, found or begun


def _place(mark: Mark | None) -> str:
    return "" if mark is None else f"in line {mark.line + 1}, column {mark.column + 1}"
