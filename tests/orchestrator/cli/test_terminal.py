"""What commands print: nothing is taken for markup, cut, or lost with the reader."""

from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Group

from orchestrator.cli import main as cli
from orchestrator.cli.terminal import Terminal, console, new_table, progress_bar, styled
from orchestrator.reports.tables import ReportTable
from semcom.errors import StorageError
from semcom.plain_text import one_line, visible
from tests.orchestrator.ledgers import fake_plan, fill_ledger
from tests.properties import examples

REPO = Path(__file__).resolve().parents[3]
fuzz = examples(60)
# Rich lays out tabs and lines by itself; wide letters are as wide as they are.
TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Mn"]), max_size=60)
MARKUP = ("[/red]", "[bold]x[/bold]", "[link=http://a]b[/link]", ":smile:", r"\[x]", "[@x=y]")


class Pipe(io.StringIO):
    """Standard output that is no terminal."""

    def fileno(self):
        raise OSError


def shown(text):
    """Print a text in all the ways there are."""
    pipe = Pipe()
    terminal = Terminal()
    terminal.file = pipe
    terminal.print(text)
    terminal.print(styled(text, "red"))
    table = new_table(text or "-", title=text, caption=text)
    table.add_row(text)
    terminal.print(Group(table))
    terminal.print(ReportTable(title=text, head=[text], rows=[[text]], note=text).rich())
    with progress_bar(shown_on=terminal) as bar:
        bar.add_task(text, total=1, completed=1, note=text)
    return pipe.getvalue()


@fuzz
@given(TEXT)
def test_any_text_is_printed_as_it_is(text):
    printed = shown(text)
    assert printed.count(visible(text)) >= 8


@pytest.mark.parametrize("text", MARKUP)
def test_nothing_is_markup(text):
    assert shown(text).count(text) == 12


def test_control_characters_are_shown():
    printed = shown("a\x1b[31m\x07b")
    assert "\x07" not in printed
    assert "\x1b[31m" not in printed
    assert r"a\x1b[31m\x07b" in printed


@pytest.mark.parametrize("forced", [None, "1"])
def test_nothing_is_cut_or_broken_off_a_terminal(monkeypatch, forced):
    """Whatever COLUMNS says, and where colours are forced, as on build servers."""
    monkeypatch.setenv("COLUMNS", "40")
    if forced:
        monkeypatch.setenv("FORCE_COLOR", forced)
    terminal = Terminal()
    terminal.file = out = Pipe()
    name = "name-" * 60
    terminal.print(f"report: {name}")
    table = new_table("link", "note", title=f"title {name}", caption=f"caption {name}")
    table.add_row(name, f"words {name} words " * 3)
    terminal.print(table)
    plain = re.sub(r"\x1b\[[\d;]*m", "", out.getvalue())
    rows = [line for line in plain.splitlines() if name in line]
    assert len(rows) == 4
    assert f"words {name} words " * 3 in plain.replace("\n", "")
    assert "…" not in plain


def test_names_are_folded_on_a_terminal():
    parent, child = pty.openpty()
    with os.fdopen(child, "w") as file:
        terminal = Terminal()
        terminal.file = file
        terminal._environ = {"COLUMNS": "40", "TERM": "xterm"}
        assert terminal.table_width == 40
        table = new_table("link")
        table.add_row("abcde-" * 20)
        terminal.print(table)
    printed = os.read(parent, 65536).decode()
    os.close(parent)
    letters = re.sub(r"[^a-e-]", "", re.sub(r"\x1b\[[\d;]*m", "", printed))
    assert letters.count("abcde-") == 20
    assert max(map(len, printed.splitlines())) <= 45


def test_a_console_knows_no_width_where_there_is_no_terminal(capsys):
    assert console.table_width is None
    assert not console.at_terminal


def run(words, *, environment=None, stdout=subprocess.PIPE, cwd=None):
    """The real command in a process."""
    return subprocess.run(
        [sys.executable, "-m", "orchestrator", *map(str, words)],
        env={**os.environ, "PYTHONPATH": str(REPO), **(environment or {})},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=150,
        cwd=cwd,
    )


@pytest.fixture(scope="module")
def run_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("[bold] a") / "run [é] it's"
    return fill_ledger(folder, fake_plan(snr_db=(0.0, 5.0)))


@pytest.mark.processes
def test_a_terminal_without_our_letters_ends_in_no_traceback(run_folder):
    done = run(["verify", run_folder], environment={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stderr) == (0, "")
    assert r"run [\xe9] it's: 24 frames" in done.stdout


@pytest.mark.processes
def test_a_reader_that_goes_away_changes_nothing(run_folder):
    """As `semcom verify RUN | head -0`: the exit code is the command's own, without a word."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        done = run(["verify", run_folder], stdout=writing)
    finally:
        os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.processes
def test_closed_standard_output_is_no_error(run_folder):
    line = f'exec "{sys.executable}" -m orchestrator verify "$1" >&-'
    done = subprocess.run(
        ["bash", "-c", line, "bash", str(run_folder)],
        env={**os.environ, "PYTHONPATH": str(REPO)},
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=150,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_full_disk_behind_standard_output_is_a_storage_error():
    terminal = Terminal()
    with open("/dev/full", "w") as full:  # noqa: PTH123
        terminal.file = full
        with pytest.raises(StorageError, match="cannot write to standard output: No space"):
            terminal.print("x")
        terminal.print("nobody reads it")


def test_bytes_are_written_whole_until_nobody_reads():
    reading, writing = os.pipe()
    terminal = Terminal()
    with os.fdopen(writing, "w") as file:
        terminal.file = file
        terminal.print("a")
        terminal.write_bytes(b"\xff[/red]\n")
        assert os.read(reading, 99) == b"a\n\xff[/red]\n"
        os.close(reading)
        terminal.write_bytes(b"x")
        assert terminal.quiet
        terminal.write_bytes(b"x")


@pytest.fixture
def semcom(monkeypatch, capsys):
    """Run a command as the shell does: exit code, stdout, stderr."""

    def command(*words):
        monkeypatch.setattr(sys, "argv", ["semcom", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return command


def test_paths_in_brackets_are_printed_whole(semcom, run_folder):
    code, out, _ = semcom("verify", run_folder)
    assert code == 0
    assert out.startswith(f"{run_folder}: 24 frames")
    assert len(out.splitlines()[0]) > len(str(run_folder)) + 80


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["sweep"], "Missing argument"),
        (["sweep", "a", "--nope[/x]"], "No such option"),
        (["[/red]"], "No such command"),
        (["jobs", "watch", "[bold]"], "valid int"),
        (["bench", "run", "[/red]"], "[/red]; available: all"),
        (["verify", "[/red]\n\x1b[31m"], r"[/red]\n\x1b[31m"),
    ],
)
def test_a_wrong_command_line_is_one_line(semcom, words, says):
    code, out, error = semcom(*words)
    assert (code, out) == (2, "")
    assert error.startswith("error: ")
    assert says in error
    assert error.count("\n") == 1


def test_a_group_without_a_command_shows_its_help(semcom):
    code, out, error = semcom("jobs")
    assert code in (0, 2)
    assert "submit" in out + error
    assert "error:" not in error


def test_the_markdown_of_a_report_is_not_broken(semcom, run_folder, monkeypatch):
    monkeypatch.setenv("COLUMNS", "20")
    code, out, _ = semcom("report", run_folder, "--markdown")
    assert code == 0
    assert re.search(r"^\| Es/N0 \(dB\) \| .*rayleigh \|$", out, re.M)
    assert one_line(out) == out.replace("\n", r"\n")
