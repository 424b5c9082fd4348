"""The families that are trained: what a command says of one, and what all have in common."""

from __future__ import annotations

import pytest

from orchestrator.training.arguments import ALL_STAGES, parse
from orchestrator.training.trained_families import FAMILIES
from semcom.families import all_families

SYSTEMS = [(name, system) for name, family in FAMILIES.items() for system in family.systems]


def test_families_that_are_trained_are_installed_and_no_two_systems_share_a_name():
    assert FAMILIES.keys() <= {family.name for family in all_families()}
    names = [system for _, system in SYSTEMS]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(("family", "system"), SYSTEMS)
def test_system_alone_says_which_family_it_is_of(family, system):
    assert parse(["--system", system]).family == family
    arguments = parse(["--family", family, "--system", system])
    assert (arguments.family, arguments.system) == (family, system)


@pytest.mark.parametrize("family", FAMILIES)
def test_family_alone_is_asked_for_its_first_system(family):
    assert parse(["--family", family]).system == FAMILIES[family].systems[0]


def test_without_either_the_paper_s_system_is_trained():
    assert (parse([]).family, parse([]).system) == ("rkd", "rkd-sc")


def test_system_of_another_family_is_refused_with_those_there_are(capsys):
    with pytest.raises(SystemExit) as ended:
        parse(["--family", "semnoma", "--system", "student-1"])
    assert ended.value.code == 2
    assert "family semnoma has kd-semnoma, semnoma" in capsys.readouterr().err


def test_help_names_presets_and_stages_of_every_family(capsys):
    with pytest.raises(SystemExit):
        parse(["--help"])
    printed = " ".join(capsys.readouterr().out.split())
    for name, family in FAMILIES.items():
        assert f"{name}: {', '.join(family.presets)}" in printed
        assert set(family.stages) <= set(ALL_STAGES)
