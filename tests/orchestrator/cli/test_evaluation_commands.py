"""What is wrong in a command is told in one line, with exit code 2; and the tables as Markdown."""

from __future__ import annotations

import sys

import pytest

from orchestrator.cli import main as cli
from orchestrator.evaluation.scenario_of_codecs import (
    parse_channels,
    parse_seeds,
    parse_snr_db,
    scenario_for,
    with_codecs,
)
from orchestrator.plan.scenario import Scenario
from semcom.errors import ConfigurationError
from tests.orchestrator.codecs import write_codec, write_images
from tests.orchestrator.ledgers import fake_codec, fake_link, fake_plan, fill_ledger, write_manifest
from tests.orchestrator.records import fake_facts, write_footprints, write_search


class Codecs:
    """A catalogue of names."""

    root = "codecs"

    def __init__(self, **datasets):
        self.datasets = datasets

    def names(self):
        return sorted(self.datasets)

    all_names = names

    def open(self, name):
        class Manifest:
            dataset = self.datasets[name]

        class Checkpoint:
            manifest = Manifest

        return Checkpoint


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    root = tmp_path_factory.mktemp("place")
    write_images(root / "data" / "tiny")
    write_codec(root / "codecs" / "cat", compression_ratio=0.5)
    (root / "empty").mkdir()
    (root / "damaged").mkdir()
    (root / "damaged" / "search.json").write_text('{"dataset": "cifar10", "method": "darts"')
    (root / "wrong").mkdir()
    (root / "wrong" / "search.json").write_text('{"dataset": "cifar10", "method": "random"}')
    (root / "scenario.yaml").write_text(
        "name: s\nlinks: {tiny: {dataset: tiny, codec: cat}}\nsnr_db: [0]\n"
    )
    return root


@pytest.fixture
def semcom(place, monkeypatch, capsys):
    """Run a command as the shell does: exit code, stdout, stderr."""

    def run(*words):
        monkeypatch.chdir(place)
        monkeypatch.setattr(sys, "argv", ["semcom", *map(str, words)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        captured = capsys.readouterr()
        return ended.value.code, captured.out, captured.err

    return run


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["evaluate", "nobody"], "no codec 'nobody'"),
        (["evaluate"], "name at least one codec"),
        (["evaluate", "cat", "--channels", "awgn,nakagami"], "unknown channel 'nakagami'"),
        (["evaluate", "cat", "--snr-db", "5:-5:1"], "stop -5 is below start 5"),
        (["evaluate", "cat", "--snr-db", "0:10"], "expected START:STOP:STEP"),
        (["evaluate", "cat", "--snr-db", "loud"], "expected START:STOP:STEP"),
        (["evaluate", "cat", "--snr-db", "1_0,true"], "expected START:STOP:STEP"),
        (["evaluate", "cat", "--snr-db", "0:10:3"], "stop 10 is not reached"),
        (["evaluate", "cat", "--snr-db", "90"], "from -30 to 60, got 90"),
        (["evaluate", "cat", "--snr-db", "nan"], "expected START:STOP:STEP"),
        (["evaluate", "cat", "--seeds", "0,one"], "expected whole numbers"),
        (["evaluate", "cat", "--seeds", "1,1"], "seeds holds 1 twice"),
        (["evaluate", "cat", "--images", "0"], "images"),
        (["evaluate", "cat", "--images", "1000"], "data set tiny has 60"),
        (["evaluate", "--scenario", "nowhere.yaml"], "no such file"),
        (["evaluate", "--scenario", "scenario.yaml", "--seeds", "1"], "defines all points"),
        (
            ["sweep", "scenario.yaml", "--live-name", "x"],
            "--live-name has an effect only with --live",
        ),
        (
            ["sweep", "scenario.yaml", "--name", "x"],
            "--live-name has an effect only with --live",
        ),
        (["sweep", "scenario.yaml", "--live", "--no-launch"], "no effect with --live"),
        (["sweep", "scenario.yaml", "--live", "--on", "ray"], "--on has no effect with --live"),
        (["sweep", "scenario.yaml", "--on", "ray", "--no-launch"], "omit --no-launch"),
        (["footprint"], "name at least one codec"),
        (["footprint", "nobody"], "no codec 'nobody'"),
        (["footprint", "--paper", "mnist"], "unknown data set 'mnist'"),
        (["report", "empty"], "holds no run, evaluation, search or footprint"),
        (["report", "nowhere"], "holds no run, evaluation, search or footprint"),
        (["report", "damaged"], "damaged/search.json is not JSON"),
        (["report", "wrong", "--markdown"], "method"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_input_is_one_line_and_exit_code_2(words, says, semcom):
    code, out, error = semcom(*words)
    assert code == 2
    assert says in error
    assert error.startswith("error: ")
    assert len(error.strip().splitlines()) == 1, error
    assert "Traceback" not in out + error


class TestScenario:
    def test_codecs_of_one_data_set_share_a_link_and_so_the_noise(self):
        catalog = Codecs(a="cifar10", b="cifar100", c="cifar10")
        found = scenario_for(["a", "b", "c"], catalog, points={"snr_db": [0]})
        assert {name: link.all_codecs for name, link in found.links.items()} == {
            "cifar10": ["a", "c"],
            "cifar100": ["b"],
        }

    def test_points_of_the_command_line(self):
        points = {
            "channels": parse_channels("awgn, rician,tdl"),
            "snr_db": parse_snr_db("-10:25:2.5"),
            "seeds": parse_seeds("0,1,2"),
        }
        found = scenario_for(["a"], Codecs(a="cifar10"), points=points)
        assert [channel.model for channel in found.channels] == ["awgn", "rician", "tdl"]
        assert (found.snr_points_db[0], found.snr_points_db[-1]) == (-10, 25)
        assert len(found.snr_points_db) == 15
        assert found.seeds == [0, 1, 2]
        assert parse_snr_db("-10,0,25") == [-10, 0, 25]

    def test_other_codecs_take_the_place_of_a_scenarios_own(self):
        scenario = Scenario.model_validate(
            {
                "name": "s",
                "links": {
                    "one": {"dataset": "cifar10", "codec": "a"},
                    "two": {"dataset": "cifar100", "codec": "b"},
                },
                "snr_db": [0],
                "frame_images": 7,
            }
        )
        catalog = Codecs(c="cifar10", d="cifar10", e="svhn")
        found = with_codecs(scenario, ["c", "d"], catalog)
        assert {name: link.all_codecs for name, link in found.links.items()} == {"one": ["c", "d"]}
        assert found.frame_images == 7
        assert with_codecs(scenario, [], catalog) is scenario
        with pytest.raises(ConfigurationError, match="codec e is for data set svhn"):
            with_codecs(scenario, ["e"], catalog)


class TestMarkdown:
    def test_tables_of_all_sources_in_one_text(self, semcom, tmp_path):
        codecs = fake_codec("thin"), fake_codec("wide")
        plan = fake_plan({"a": fake_link("shapes10", *codecs)}, snr_db=(-10.0, 0.0), seeds=(0, 1))
        folder = fill_ledger(tmp_path / "e", plan)
        facts = [
            fake_facts(name, "shapes10", ratio=r) for name, r in (("thin", 0.9), ("wide", 0.5))
        ]
        write_manifest(folder, plan, kind="evaluation", codecs=facts)
        search, footprint = write_search(tmp_path / "s"), write_footprints(tmp_path / "f")
        code, out, _ = semcom("report", folder, search, footprint, "--markdown")
        assert code == 0
        for line in (
            "**shapes10: accuracy, %**",
            "| Es/N0 (dB) | RKD-SC, ratio 0.5, AWGN | RKD-SC, ratio 0.5, Rayleigh |",
            "2 channel seeds",
            "**shapes10: accuracy at -10 dB, %**",
            "| 0.9 | RKD-SC | thin |",
            "| cifar10 | KDL-DARTS | 0 | (3, 3, 4, 1) |",
            "| parameters saved relative to the teacher | 90.00 % |",
            "| IoT estimate (ms) | 108.9 |",
        ):
            assert line in out, line

    def test_seeds_of_a_run_are_counted_together(self, semcom, tmp_path):
        folder = fill_ledger(tmp_path, fake_plan(seeds=(0, 1), snr_db=(0.0,)))
        code, out, _ = semcom("report", folder, "--markdown")
        assert code == 0
        assert out.splitlines()[0].count("shapes10, awgn") == 1
        assert "seed" not in "".join(out.splitlines()[:3])
