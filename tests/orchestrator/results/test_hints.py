"""Every command that is printed can be pasted into a shell, whatever folders are called."""

from __future__ import annotations

import ast
import re
import shlex
import subprocess
import sys
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import typer.main

from orchestrator.cli import evaluation_commands as cli_evaluate
from orchestrator.cli import live_commands as cli_live
from orchestrator.cli import main as cli
from orchestrator.cli.job_commands import serve_command
from orchestrator.cli.options import SCENARIOS
from orchestrator.jobs.settings import JobsFolder
from orchestrator.jobs.store import JobStore
from orchestrator.live.live_folder import Found, Home, find_system
from orchestrator.live.live_scenario import read_live_scenario
from orchestrator.plan.catalog import Catalog
from orchestrator.plan.folders import Folders
from orchestrator.plan.scenario import read_scenario
from orchestrator.reports.report_page import warnings
from orchestrator.results.resumption import sweep_words
from orchestrator.results.run_folder import read_run
from orchestrator.results.verify import verify_run
from orchestrator.sweep.run import InterruptedRunError, RunOutcome
from semcom.errors import SemcomError
from semcom.key_pool import claim
from semcom.keys import KeyFolder
from semcom.plain_text import one_line
from semcom.shards import read_manifest
from tests.orchestrator.codecs import write_codec, write_images
from tests.orchestrator.ledgers import fake_plan, fill_ledger, write_manifest

REPO = Path(__file__).resolve().parents[3]
FOLDERS = ("plain", "a b", "[bold]x[/bold]", "it's", 'say "hi" $HOME `id`', "-x", "é\n中\x1b[31m")
SCENARIO = "name: s\nlinks: {tiny: {dataset: tiny, codec: cat}}\nsnr_db: [0]\n"
HINT = re.compile(r"with: (semcom .*)$")
COMMANDS = sorted(typer.main.get_command(cli.app).commands)  # type: ignore[attr-defined]


@pytest.fixture(params=FOLDERS, ids=ascii)
def place(request, tmp_path, monkeypatch):
    """A folder of that name, named by a relative path as users do."""
    folder = tmp_path / request.param
    folder.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    (folder / "s.yaml").write_text(SCENARIO)
    (folder / "live.yaml").write_text(f"mode: live\n{SCENARIO}")
    return Path(request.param)


def pasted(hints):
    """The words that a shell makes of commands, each taken by a stand-in for `semcom`."""
    script = "semcom() { printf '%s\\0' \"$@\"; printf '\\1'; }\n" + "\n".join(hints) + "\n"
    done = subprocess.run(["bash", "-c", script], capture_output=True, check=True, timeout=60)
    found = done.stdout.split(b"\1")[:-1]
    return [[word.decode() for word in words.split(b"\0")[:-1]] for words in found]


def parsed(words):
    """The path of commands and the values that the real parser takes from words."""
    command: Any = typer.main.get_command(cli.app)
    context = command.make_context("semcom", list(words))
    while hasattr(command, "commands"):
        rest = [*context._protected_args, *context.args]
        _, command, rest = command.resolve_command(context, rest)
        context = command.make_context(command.name, rest, parent=context)
    return context.command_path, context.params


def hint_of(text):
    assert len(text.splitlines()) == 1, text
    found = HINT.search(text)
    assert found, text
    return found.group(1)


def refusal(work, *arguments, **options):
    with pytest.raises(SemcomError) as caught:
        work(*arguments, **options)
    return one_line(str(caught.value))  # as main prints it


def taken(text):
    """Paste the hint of a message and parse what comes out."""
    (words,) = pasted([hint_of(text)])
    return parsed(words)


class TestSweep:
    def interrupted(self, monkeypatch, capsys, *words):
        """What `semcom sweep` says when it is interrupted."""

        def stop(scenario, folder, **others):
            raise InterruptedRunError("interrupted with 1 of 2 frames to go")

        monkeypatch.setattr(cli, "run_sweep", stop)
        monkeypatch.setattr(cli, "draw_missing", lambda *_: None)  # nothing is there to be swept
        monkeypatch.setattr(sys, "argv", ["semcom", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 130
        return capsys.readouterr().err.rstrip("\n")

    def test_names_scenario_folder_and_every_option_given(self, place, monkeypatch, capsys):
        data, codecs, out = place / "data", place / "codecs", place / "out"
        words = ["sweep", "--data", data, "--codecs", codecs, "--out", out, "--no-launch"]
        words += ["--no-report", "--", place / "s.yaml"]
        path, params = taken(self.interrupted(monkeypatch, capsys, *words))
        assert path == "semcom sweep"
        assert Path(params["scenario"]) == Path(place / "s.yaml")
        assert (Path(params["data"]), Path(params["codecs"])) == (data, codecs)
        assert (Path(params["out"]), params["resume"]) == (out, True)
        assert (params["launch"], params["report"]) == (False, False)

    def test_default_options_are_left_out(self, place, monkeypatch, capsys):
        text = self.interrupted(monkeypatch, capsys, "sweep", "--", place / "s.yaml")
        assert not {"--data", "--codecs", "--no-launch"} & set(shlex.split(hint_of(text)))
        _, params = taken(text)
        assert Path(params["out"]) == Path("runs/s")

    @pytest.mark.parametrize("name", ["", "noma", "text"])
    def test_demo(self, name, place, monkeypatch, capsys):
        monkeypatch.setattr(cli, "draw_missing", lambda *_: None)
        words = ["demo", *([name] if name else []), "--runs", place / "runs"]
        words += ["--data", place / "data"]
        path, params = taken(self.interrupted(monkeypatch, capsys, *words))
        assert path == "semcom sweep"
        run = f"demo-{name}" if name else "demo"
        assert params["scenario"] == SCENARIOS / f"{run}.yaml"
        assert Path(params["out"]) == place / "runs" / run
        assert Path(params["data"]) == place / "data"

    def test_of_a_live_system(self, place, monkeypatch):
        begun = {"folder": "f", "planned": 2}
        failed = {
            "folder": "f", "state": "failed", "waiting": [], "recorded": 1, "error": "it ended",
            "exit_code": 8,
        }  # fmt: skip
        monkeypatch.setattr(cli_live, "find_system", lambda *_: Found("live", "u", "t", 1))
        monkeypatch.setattr(cli_live, "change", lambda *_: begun)
        monkeypatch.setattr(cli_live, "read_status", lambda _: {"sweep": failed})
        text = refusal(
            cli_live.sweep_live, read_scenario(place / "s.yaml"), place / "s.yaml",
            runs=place, name="live", resume=False, report=False,
        )  # fmt: skip
        path, params = taken(text)
        assert path == "semcom sweep"
        assert Path(params["scenario"]) == Path(place / "s.yaml")
        assert (Path(params["runs"]), params["live_name"]) == (place, "live")
        assert (params["live"], params["resume"], params["report"]) == (True, True, False)


class TestRunFolders:
    def test_verify_and_report_name_the_command_that_finishes(self, place):
        plan = fake_plan(snr_db=(0.0,))
        run = fill_ledger(place / "run", plan, skip={("shapes10", 0, 0)})
        folders = Folders(data=place / "data", codecs=place / "codecs")
        words = sweep_words(place / "s.yaml", folders, launch=False)
        write_manifest(run, plan, command=words)
        path, params = taken(refusal(verify_run, run))
        assert path == "semcom sweep"
        assert Path(params["scenario"]) == Path(place / "s.yaml")
        assert (Path(params["out"]), params["launch"]) == (run, False)
        assert Path(params["data"]) == place / "data"
        (warning,) = warnings([read_run(run)])
        page = unescape(re.search("<code>(.*)</code>", warning).group(1))
        assert Path(taken(page)[1]["out"]) == run.absolute()

    def test_a_manifest_of_others_puts_no_command_of_its_own(self, place):
        plan = fake_plan(snr_db=(0.0,))
        run = fill_ledger(place / "run", plan, skip={("shapes10", 0, 0)})
        for words in (["sweep", "; echo hacked"], ["sweep", "$(echo hacked)\n\x1b[2J"]):
            write_manifest(run, plan, command=words)
            (found,) = pasted([hint_of(refusal(verify_run, run))])
            assert found[:2] == words
        for words in (["down"], "sweep x", [], [1], {"sweep": 1}):
            write_manifest(run, plan, command=words)
            assert not HINT.search(refusal(verify_run, run))

    def test_results_csv_that_was_changed(self, place):
        plan = fake_plan(snr_db=(0.0,))
        run = fill_ledger(place / "run", plan)
        write_manifest(run, plan, command=sweep_words(place / "s.yaml", Folders()))
        (run / "results.csv").write_text("link\n")
        assert taken(refusal(verify_run, run))[0] == "semcom sweep"

    def test_a_report_that_was_not_drawn(self, place, capsys):
        cli.print_outcome(RunOutcome(place / "run", "0" * 64, None, 1.0, "ValueError: [x]\ny"))
        line = capsys.readouterr().out.splitlines()[-1]
        assert line.startswith(r"no report: ValueError: [x]\ny; ")
        path, params = taken(line)
        assert (path, list(map(Path, params["folders"]))) == ("semcom report", [place / "run"])


class TestEvaluate:
    def test_goes_on_with_all_that_was_given(self, place, monkeypatch, capsys):
        write_images(place / "data" / "tiny")
        write_codec(place / "codecs" / "cat", compression_ratio=0.5)

        def stop(scenario, folder, **others):
            raise InterruptedRunError("interrupted", 143)

        monkeypatch.setattr(cli_evaluate, "run_evaluation", stop)
        words = ["evaluate", "cat", "--data", place / "data", "--codecs", place / "codecs"]
        words += ["--snr-db", "-5,0", "--seeds", "1", "--images", "7", "--out", place / "out"]
        monkeypatch.setattr(sys, "argv", ["semcom", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        assert ended.value.code == 143
        path, params = taken(capsys.readouterr().err.rstrip("\n"))
        assert path == "semcom evaluate"
        assert params["codecs"] == ["cat"]
        assert (params["snr_db"], params["seeds"], params["images"]) == ("-5,0", "1", 7)
        assert params["channels"] is params["scenario"] is None
        assert Path(params["codec_dir"]) == place / "codecs"
        assert (Path(params["out"]), Path(params["data"])) == (place / "out", place / "data")


class TestLive:
    def test_home_names_itself(self, place):
        home = Home(place / "runs", "live")
        for word in ("up", "status", "down"):
            path, params = parsed(pasted([home.command(word)])[0])
            assert path == f"semcom {word}"
            assert (params["name"], Path(params["runs"])) == ("live", place / "runs")

    @pytest.mark.parametrize("name", [None, "other"])
    def test_no_system(self, place, name):
        path, params = taken(refusal(find_system, place, name))
        assert path == "semcom up"
        assert (params["name"], Path(params["runs"])) == (name, place)

    def test_one_that_is_up(self, place):
        Home(place, "live").move_in()
        path, params = taken(refusal(Home(place, "live").move_in))
        assert (path, params["name"]) == ("semcom down", "live")

    def test_scenarios_of_the_other_kind(self, place):
        path, params = taken(refusal(read_scenario, place / "live.yaml"))
        assert path == "semcom up"
        assert Path(params["scenario"]) == Path(place / "live.yaml")
        path, params = taken(refusal(read_live_scenario, place / "s.yaml"))
        assert path == "semcom sweep"


class TestOthers:
    def test_jobs(self, place):
        store = JobStore(JobsFolder(place / "work").database, create=True)
        path, params = taken(refusal(store.job, 7))
        store.close()
        assert (path, Path(params["work"])) == ("semcom jobs list", place / "work")
        path, params = taken(f"resume with: {serve_command(place / 'work')}")
        assert (path, Path(params["work"])) == ("semcom jobs serve", place / "work")

    def test_codecs_that_ship_need_no_hint(self, place):
        assert Catalog(place / "codecs").is_shipped("shapes10")
        assert "resume with" not in refusal(Catalog(place / "codecs").open, "nobody")

    def test_data_sets(self, place):
        path, params = taken(refusal(read_manifest, place / "data" / "cifar10"))
        assert path == "semcom data prepare"
        assert (params["name"], Path(params["data"])) == ("cifar10", place / "data")

    def test_keys(self, place):
        keys = KeyFolder(place / "keys")
        for text, peer in (
            (refusal(keys.own, "receiver", "r-1"), "receiver:r-1"),
            (refusal(claim, keys, "receiver", "r-*"), "receiver:r-1"),
        ):
            path, params = taken(text)
            assert (path, params["peer"]) == ("semcom keys", [peer])
            assert Path(params["folder"]) == place / "keys"


def f_strings(tree):
    """The f-strings of a module, with a zero byte for each value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.JoinedStr):
            yield "".join(
                part.value if isinstance(part, ast.Constant) else "\0" for part in node.values
            )


def test_no_command_is_put_together_without_quotes():
    """`semcom ... {path}` in an f-string is no command: `semcom.plain_text.command` makes them."""
    pattern = re.compile(rf"semcom (?:{'|'.join(COMMANDS)})\b[^;,:.]*\0")
    for room in ("semcom", "orchestrator", "transmitters", "receiver", "channel_sim"):
        for path in (REPO / room).rglob("*.py"):
            for text in f_strings(ast.parse(path.read_text(encoding="utf-8"))):
                assert not pattern.search(text), (path, text)


def test_nothing_prints_but_through_the_terminal():
    """Rich's console and its markup are known to one module; `print` and `echo` to none."""
    allowed = {"orchestrator/cli/terminal.py"}
    for path in (REPO / "orchestrator").rglob("*.py"):
        name, text = str(path.relative_to(REPO)), path.read_text(encoding="utf-8")
        if name not in allowed:
            assert not re.search(r"\bConsole\(|typer\.echo|rich\.markup|(?<!rich_)markup=", text), (
                name
            )
            assert not re.search(r"\bTextColumn\(|\bTable\(\s*[\"']", text), name
