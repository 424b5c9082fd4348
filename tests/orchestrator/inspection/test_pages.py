"""What is printed and drawn of single items."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from rich.console import Console
from typer.testing import CliRunner

from orchestrator.cli.main import app
from orchestrator.inspection.choice import Wanted
from orchestrator.inspection.constellation import MAX_DRAWN, braille, reach_of, svg, thinned
from orchestrator.inspection.item_page import item_page
from orchestrator.inspection.item_tables import look_tables
from orchestrator.inspection.ranking import Which, changes, ranked
from orchestrator.inspection.run_items import Look, inspect_run
from orchestrator.plan.folders import Folders
from semcom.tasks.classification import ACCURACY
from semcom.tasks.text import RATES
from semcom.tasks.text import Text as SentenceTask
from tests.orchestrator.inspection.place import computed_here, evaluated, make_place

KINDS = {"classes": "tiny", "pictures": "left", "sentences": "near"}
RUNNER = CliRunner()


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Folders]:
    with computed_here():
        place = make_place(tmp_path_factory.mktemp("pages"))
        for kind in KINDS:
            evaluated(place, kind)
        yield place


@pytest.fixture(scope="module", params=KINDS)
def look(request: pytest.FixtureRequest, folders: Folders) -> Look:
    wanted = Wanted(link=KINDS[request.param])
    return inspect_run(folders.runs / request.param, wanted, folders=folders, which=Which(count=4))


def printed(look: Look, width: int | None) -> str:
    console = Console(width=width or 200, color_system="truecolor", force_terminal=True)
    with console.capture() as capture:
        for part in look_tables(look, detailed=2, width=width):
            console.print(part)
    return re.sub(r"\x1b\[[0-9;]*m", "", capture.get())


def test_page_has_every_item_and_point_and_loads_nothing(look: Look) -> None:
    page = item_page(look)
    assert page.count('class="item"') == len(look.items)
    points = sum(len(item.answers) for item in look.items)
    assert page.count('<svg class="iq"') == points
    pictures = [item for item in look.items if item.content.ndim == 3]
    own = [a for item in look.items for a in item.answers if a.answer.ndim == 3]
    assert page.count("data:image/png") == len(pictures) + len(own)
    assert "://" not in page
    assert look.agreement() in page
    for item in look.items:
        if item.text:
            assert item.text in page


def test_terminal_shows_answers_distances_and_constellations(look: Look) -> None:
    shown = printed(look, None)
    assert all(f" {item.number} " in shown for item in look.items)
    first = look.items[0].answers[0]
    if first.symbol_distance is not None:
        assert f"{first.symbol_distance:.3f}" in shown
    assert re.search("[\u2801-\u28ff]", shown)
    assert "\N{UPPER HALF BLOCK}" not in shown
    assert ("\N{UPPER HALF BLOCK}" in printed(look, 120)) == (look.items[0].content.ndim == 3)


def test_narrow_terminal_shows_the_lowest_and_the_highest_snr(folders: Folders) -> None:
    look = inspect_run(folders.runs / "classes", folders=folders, which=Which(count=1))
    head = printed(look, 60).splitlines()[4]
    assert ("-5 dB" in head, " 5 dB" in head, "15 dB" in head) == (True, False, True)


def test_command_prints_and_writes_a_page(folders: Folders, tmp_path: Path) -> None:
    page = tmp_path / "items.html"
    places = ["--data", str(folders.data), "--codecs", str(folders.codecs)]
    words = ["inspect", str(folders.runs / "classes"), *places, "--item", "3", "--html", str(page)]
    result = RUNNER.invoke(app, [*words, "--channel", "rayleigh", "--snr-db", "-5,15"])
    assert result.exit_code == 0, result.output
    assert "link tiny, codec cat, rayleigh mmse, seed 0" in result.output
    assert "2 frames recomputed, all equal to the ledger" in result.output
    assert page.read_text().count('<svg class="iq"') == 2


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--by", "colour"], "--by colour: expected worst, change, number"),
        (["--snr-db", "1,x"], "--snr-db 1,x: expected a list of numbers in dB"),
        (["--item", "99"], "no item 99 of link tiny: it sent items 0 to 29"),
    ],
)
def test_options_that_do_not_fit_are_one_line(
    words: list[str], text: str, folders: Folders
) -> None:
    places = ["--data", str(folders.data), "--codecs", str(folders.codecs)]
    result = RUNNER.invoke(app, ["inspect", str(folders.runs / "classes"), *places, *words])
    assert str(result.exception) == text


VALUES = arrays(np.float64, (6, 4), elements=st.floats(0, 1))


@given(VALUES)
def test_each_order_has_every_item_once(values_NP: np.ndarray) -> None:
    for by in ("worst", "change", "number"):
        assert sorted(ranked(values_NP, ACCURACY, by)) == list(range(6))
    means = values_NP[ranked(values_NP, ACCURACY, "worst")].mean(axis=1)
    assert (np.diff(means) >= 0).all()
    changed = changes(values_NP[ranked(values_NP, ACCURACY, "change")])
    assert (np.diff(changed) <= 0).all()


def test_items_of_a_metric_whose_lower_values_are_better_begin_with_the_highest() -> None:
    wer = next(each for each in SentenceTask.METRICS if each.name == RATES[0][0])
    values_NP = np.array([[0.1, 0.2], [0.9, 0.4], [0.5, 0.5]])
    assert ranked(values_NP, wer, "worst") == [1, 2, 0]


@given(arrays(np.complex64, st.integers(1, 40), elements=st.complex_numbers(width=64)))
def test_any_symbols_are_drawn(symbols_K: np.ndarray) -> None:
    reach = reach_of(symbols_K)
    lines = braille(symbols_K, reach, columns=10)
    assert {len(line) for line in lines} == {10}
    assert "nan" not in svg(symbols_K, symbols_K, title="t")


def test_long_codewords_are_thinned() -> None:
    assert len(thinned(np.zeros(MAX_DRAWN, np.complex64))) == MAX_DRAWN
    assert MAX_DRAWN / 2 <= len(thinned(np.zeros(5 * MAX_DRAWN + 1, np.complex64))) <= MAX_DRAWN
