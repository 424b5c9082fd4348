"""Theme of all figures: colours for light and dark pages, and matplotlib's settings."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

DPI = 200


@dataclass(frozen=True, kw_only=True)
class Theme:
    """Colours of a figure; neighbours are distinguishable for colour-blind readers, too."""

    background: str
    ink: str
    muted: str
    grid: str
    series: tuple[str, ...]
    stages: tuple[str, ...]


LIGHT = Theme(
    background="#ffffff",
    ink="#1b1f24",
    muted="#57606a",
    grid="#e3e6ea",
    series=("#0072b2", "#d55e00", "#009e73", "#b5529a", "#b07d00", "#3f9bd1", "#5b4b9e", "#6e6e6e"),
    stages=("#5aa9d6", "#f0b73f", "#dd9fc0", "#4dbb97", "#d9dde2"),
)
DARK = Theme(
    background="#14181d",
    ink="#e6e9ed",
    muted="#9aa4af",
    grid="#2a3138",
    series=("#5ab4f0", "#ff9149", "#35c79b", "#e79cc4", "#e8c04a", "#9cc9ff", "#b9a6f5", "#bdbdbd"),
    stages=("#2f7cae", "#a8781d", "#a0608a", "#1f8566", "#414a54"),
)


def rc_params(theme: Theme) -> dict[str, Any]:
    """Settings of matplotlib that override its defaults."""
    return {
        "font.size": 9,
        "axes.titlesize": 10,
        "axes.titleweight": "bold",
        "axes.labelsize": 9,
        "xtick.labelsize": 8.5,
        "ytick.labelsize": 8.5,
        "legend.fontsize": 8.5,
        "legend.frameon": False,
        "legend.handlelength": 2.6,
        "lines.linewidth": 1.5,
        "lines.markersize": 4.5,
        "lines.markeredgewidth": 1.1,
        "errorbar.capsize": 2.0,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.grid": True,
        "axes.axisbelow": True,
        "grid.color": theme.grid,
        "grid.linewidth": 0.8,
        "figure.facecolor": theme.background,
        "savefig.facecolor": theme.background,
        "axes.facecolor": theme.background,
        "axes.edgecolor": theme.muted,
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "xtick.color": theme.muted,
        "ytick.color": theme.muted,
        "xtick.labelcolor": theme.ink,
        "ytick.labelcolor": theme.ink,
    }
