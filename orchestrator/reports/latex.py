"""LaTeX tables with the rules of the package booktabs."""

from __future__ import annotations

import re
from collections.abc import Sequence

ESCAPED = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
}  # fmt: skip


def escaped(text: str) -> str:
    """Return a text escaped for LaTeX."""
    return re.sub(r"[\\&%$#_{}~^]", lambda found: ESCAPED[found[0]], text)


def number_text(text: str) -> str:
    """Return a number with a typographic minus sign."""
    return f"${text}$" if re.match(r"-\d", text) else text


def booktabs(
    head: Sequence[str], rows: Sequence[Sequence[str]], *, comment: str, columns: str
) -> str:
    r"""Return a table; cells are already LaTeX.

    Args:
        head: names of the columns.
        rows: cells.
        comment: description of the table for readers of the file.
        columns: their alignment, such as `lrr`.
    """
    lines = [
        f"% {comment} Needs \\usepackage{{booktabs}}.",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        rf"{' & '.join(head)} \\",
        r"\midrule",
        *(rf"{' & '.join(row)} \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"
