"""Names of channels in figures and tables: as in papers, or as chosen by the user."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

MET = re.compile(r"interferers=(?P<number>\d+) sir=(?P<sir>\S+)")  # a label of interference
CHANNELS = {
    "awgn": "AWGN",
    "rayleigh": "Rayleigh",
    "rician": "Rician",
    "tdl": "TDL",
    "jakes": "Jakes",
}
_given: ContextVar[Mapping[str, str] | None] = ContextVar("names of channels", default=None)


@contextmanager
def channels_named(names: Mapping[str, str] | None) -> Iterator[None]:
    """Use the user's names of channels inside the block; see `names_of_channel`."""
    token = _given.set(names)
    try:
        yield
    finally:
        _given.reset(token)


def channel_title(label: str) -> str:
    """Return a channel as the user called it, or its label in the form of papers."""
    return given_title(label) or _paper_title(label)


def given_title(label: str) -> str | None:
    """Return a channel as the user called it; None if the user did not.

    A name of a channel also applies to the channel with interferers.
    """
    names = _given.get() or {}
    base, met = _parts(label)
    for name in names_of_channel(label):
        if name in names:
            whole = name not in (base, _paper_title(base)) or not met
            return names[name] if whole else f"{names[name]}, {_paper_title(met)}"
    return None


def names_of_channel(label: str) -> list[str]:
    """Return the names by which a user can mean a channel, the most specific first.

    They are its label, as in `results.csv`, and its title in reports, with and without interferers.
    """
    base, _ = _parts(label)
    return list(dict.fromkeys([label, _paper_title(label), base, _paper_title(base)]))


def interferers_title(number: int) -> str:
    """Return a number of interferers as a text."""
    return f"{number} interferer{'s' * (number != 1)}"


def _parts(label: str) -> tuple[str, str]:
    """Return the label of a channel without its interferers, and theirs."""
    met = MET.search(label)
    if met is None or not met.start():
        return label, ""
    return label[: met.start()].rstrip(), label[met.start() :]


def _paper_title(label: str) -> str:
    base, met = _parts(label)
    model, *rest = MET.sub(_met_title, base).split(" ", 1)
    title = " ".join([CHANNELS.get(model, model), *rest])
    return f"{title}, {MET.sub(_met_title, met)}" if met else title


def _met_title(met: re.Match[str]) -> str:
    return f"{interferers_title(int(met['number']))} of SIR {met['sir']} dB"
