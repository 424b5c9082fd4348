"""The table of packages against pyproject.toml, and the message if one is missing."""

from __future__ import annotations

import importlib.util
import json
import re
import sys
import tomllib
from pathlib import Path

import pytest

from semcom.errors import ConfigurationError
from semcom.extras import APART, BASE, EXTRAS, IMPORTED_AS, LATE, imports_for, needed_by, require

PROJECT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
OPTIONAL: dict[str, list[str]] = PROJECT["optional-dependencies"]
TOGETHER = {extra: names for extra, names in EXTRAS.items() if extra not in APART}


def packages(requirements: list[str]) -> set[str]:
    """Names of what is required, with that of the extras that it names."""
    found: set[str] = set()
    for text in requirements:
        own = re.fullmatch(r"rkd-sc\[(.*)\]", text)
        if own is None:
            found.add(re.split(r"[\[<>=]", text)[0])
        for extra in own[1].split(",") if own else ():
            found |= packages(OPTIONAL[extra])
    return found


def test_table_is_that_of_pyproject() -> None:
    assert set(BASE) == packages(PROJECT["dependencies"])
    assert set(EXTRAS) == set(OPTIONAL) - {"all", "dev", "docs"}
    for extra, names in EXTRAS.items():
        assert set(names) == packages(OPTIONAL[extra]), extra
    assert packages(OPTIONAL["all"]) == {name for names in TOGETHER.values() for name in names}
    assert set(LATE) <= set(EXTRAS["training"])


@pytest.mark.parametrize("name", sorted({*BASE, *(n for each in TOGETHER.values() for n in each)}))
def test_packages_are_imported_as_the_table_says(name: str) -> None:
    assert importlib.util.find_spec(IMPORTED_AS.get(name, name)) is not None


@pytest.mark.parametrize("extra", sorted(TOGETHER))
def test_what_is_installed_is_not_asked_for(extra: str) -> None:
    require("x", extra)


def test_all_that_is_missing_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("PIL", "typer"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigurationError) as raised:
        require("semcom", "orchestrator")
    assert str(raised.value) == "semcom needs pillow, typer: pip install 'rkd-sc[orchestrator]'"


def test_of_several_extras_only_what_all_of_them_hold_is_needed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    require("transmitter", "transmitter", "edge")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ConfigurationError, match=r"'rkd-sc\[transmitter\]' or pip install") as said:
        require("transmitter", "transmitter", "edge")
    assert "needs safetensors: " in str(said.value)


def test_package_of_every_process_is_brought_by_no_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "zmq", None)
    with pytest.raises(ConfigurationError, match=r"^channel needs pyzmq: pip install rkd-sc$"):
        require("channel")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ModuleNotFoundError("No module named 'timm'", name="timm"), "x needs timm: pip install"),
        (ModuleNotFoundError("...", name="PIL.Image"), "x needs pillow: pip install"),
        (ModuleNotFoundError("...", name="not_there_at_all"), "x needs not_there_at_all: pip"),
        (ImportError("Numba needs\nNumPy 1.0"), "x cannot import what it needs (Numba needs NumPy"),
        (ImportError("cannot import name 'y'", name="torch.z"), "x cannot import what it needs ("),
    ],
)
def test_failed_import_is_one_line_with_a_remedy(error: ImportError, line: str) -> None:
    with (
        pytest.raises(ConfigurationError) as raised,
        needed_by("x", "training", otherwise="do without"),
    ):
        raise error
    text = str(raised.value)
    assert text.startswith(line)
    assert text.endswith(": pip install 'rkd-sc[training]', or do without")
    assert "\n" not in text


def test_mistake_in_an_import_of_ours_is_not_taken_for_a_missing_package() -> None:
    with pytest.raises(ImportError), needed_by("x", "training"):
        from semcom.shards import no_such_name  # type: ignore[attr-defined]  # noqa: F401, PLC0415


@pytest.mark.parametrize("json_line", [False, True])
def test_process_ends_with_one_line_and_exit_code_2(
    json_line: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    with (
        pytest.raises(SystemExit) as ended,
        imports_for("receiver", "receiver", json_line=json_line),
    ):
        pytest.fail("nothing is imported then")
    assert ended.value.code == 2
    [line] = capsys.readouterr().err.splitlines()
    said = "receiver needs torch: pip install 'rkd-sc[receiver]'"
    if not json_line:
        assert line == f"error: {said}"
        return
    record = json.loads(line)
    assert (record["level"], record["event"], record["exit_code"]) == ("error", said, 2)
    assert set(record) >= {"time", "logger"}


def test_ctrl_c_while_a_process_is_imported_is_one_line(capsys):
    with pytest.raises(SystemExit) as ended, imports_for("training"):
        raise KeyboardInterrupt
    assert ended.value.code == 130
    assert capsys.readouterr().err == "SIGINT: stopped\n"
