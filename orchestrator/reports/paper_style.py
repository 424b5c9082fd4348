"""Styles of figures for papers: matplotlib's style sheets, ours by name or a user's own file."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import style

from orchestrator.reports.theme import LIGHT, rc_params
from semcom.errors import ConfigurationError

STYLES = Path(__file__).with_name("styles")
ENDING = ".mplstyle"
CYCLE = "axes.prop_cycle"
# Equal results give equal files.
EXACT = {"svg.hashsalt": "rkd-sc", "figure.constrained_layout.use": True}
PLAIN = {"figure.figsize": (4.6, 2.9), "pdf.fonttype": 42, "savefig.dpi": 300}


def style_names() -> list[str]:
    """Return the shipped styles."""
    return sorted(path.stem for path in STYLES.glob(f"*{ENDING}"))


def read_style(named: str | None) -> dict[str, Any]:
    """Return matplotlib's settings for a style: a shipped one, a style sheet, or that of reports.

    Raises:
        ConfigurationError: there is no such style, or the file is not a style sheet.
    """
    base = {**rc_params(LIGHT), **PLAIN}
    if named is None:
        return {**base, **EXACT}
    path = STYLES / f"{named}{ENDING}" if named in style_names() else Path(named)
    try:
        with _complaints() as said:
            read = mpl.rc_params_from_file(path, fail_on_error=True, use_default_template=False)
    except FileNotFoundError:
        raise ConfigurationError(
            f"--style {named}: no such file; shipped are {', '.join(style_names())}"
        ) from None
    except Exception as error:  # matplotlib may raise anything for an invalid line
        reason = " ".join(str(error).split())
        raise ConfigurationError(f"--style {named}: {reason}") from error
    if said:  # matplotlib only logs unknown keys
        raise ConfigurationError(f"--style {named}: {next(iter(said[0].strip().splitlines()))}")
    return {**base, **read, **EXACT}


class _Collector(logging.Handler):
    """Keeps the texts of warnings."""

    def __init__(self, texts: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._texts = texts

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a text."""
        self._texts.append(record.getMessage())


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collect matplotlib's warnings in the block."""
    texts: list[str] = []
    logger, handler = logging.getLogger("matplotlib"), _Collector(texts)
    logger.addHandler(handler)
    try:
        yield texts
    finally:
        logger.removeHandler(handler)


@contextmanager
def styled_figures(settings: dict[str, Any]) -> Iterator[list[str]]:
    """Draw in a style in the block, whatever the user has set; yield its colours."""
    with style.context(["default", settings], after_reset=True):
        cycle = settings.get(CYCLE, [{"color": colour} for colour in LIGHT.series])
        yield [str(each["color"]) for each in cycle if "color" in each] or [LIGHT.ink]
