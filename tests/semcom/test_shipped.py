"""Shipped codecs and scenarios: in a checkout, in an installation, and by name."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError
from pathlib import Path

import pytest

from semcom import shipped as module
from semcom.shipped import installed_version, scenario_file, shipped

REPO = Path(__file__).resolve().parents[2]


def test_checkout_has_them_beside_the_package() -> None:
    assert shipped("codecs") == REPO / "codecs"
    assert shipped("scenarios") == REPO / "scenarios"


def test_installation_has_them_in_the_package_and_looks_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site-packages" / "semcom"
    for folder in (package / "codecs", package.parent / "codecs"):
        folder.mkdir(parents=True)
    monkeypatch.setattr(module, "PACKAGE", package)
    assert shipped("codecs") == package / "codecs"


@pytest.mark.parametrize("named", ["demo", "demo.yaml", "scenarios/demo.yaml", "scenarios/demo"])
def test_shipped_scenario_is_found_by_its_name(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert scenario_file(Path(named)) == REPO / "scenarios" / "demo.yaml"


def test_file_that_is_there_goes_before_a_shipped_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("demo.yaml").write_text("name: mine")
    assert scenario_file(Path("demo.yaml")) == Path("demo.yaml")


@pytest.mark.parametrize(
    "named", ["mine.yaml", "elsewhere/demo.yaml", "/demo.yaml", "../demo.yaml"]
)
def test_other_names_stay_what_they_are(
    named: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert scenario_file(Path(named)) == Path(named)


def test_version_is_unknown_where_pip_installed_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(module, "version", missing)
    assert installed_version() is None
