"""The files of the live page: what is served, what is not, and what browsers are told with it."""

from __future__ import annotations

import http.client
import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import pytest

from orchestrator.live.link_options import choices
from orchestrator.live.site import Site
from orchestrator.plan.catalog import Catalog
from semcom.health import HealthServer
from semcom.http_server import Request
from semcom.telemetry import Telemetry

REPO = Path(__file__).resolve().parents[3]
PAGE = REPO / "orchestrator" / "live" / "page"


@pytest.fixture
def port() -> Iterator[int]:
    telemetry = Telemetry("orchestrator", "orchestrator")
    server = HealthServer("127.0.0.1", 0, telemetry=telemetry, ready=lambda: True, pages=Site())
    yield server.port
    server.close()


def ask(port, path, method="GET"):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request(method, path, b"{}" if method == "POST" else None)
        response = connection.getresponse()
        return response.status, dict(response.getheaders()), response.read()
    finally:
        connection.close()


def test_page_and_all_its_parts_are_served_with_strict_headers(port):
    kinds = {"html": "text/html", "css": "text/css", "js": "text/javascript", "svg": "image/svg"}
    assert len(Site().paths) == len(list(PAGE.iterdir()))
    for path in Site().paths:
        status, headers, body = ask(port, path)
        assert status == 200
        assert body == (PAGE / (path.rpartition("/")[2] or "index.html")).read_bytes()
        kind = kinds["html" if path == "/" else path.rpartition(".")[2]]
        assert headers["Content-Type"].startswith(kind)
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_question_behind_the_path_changes_nothing(port):
    assert ask(port, "/?theme=dark")[2] == (PAGE / "index.html").read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/page",
        "/page/",
        "/page/index.html",
        "/page/../site.py",
        "/page/..%2fsite.py",
        "/page/%2e%2e/site.py",
        "/page//etc/passwd",
        "//etc/passwd",
        "/page/style.css/",
        "/page/STYLE.CSS",
        "/page/style.css%00",
    ],
)
def test_nothing_else_is_served(port, path):
    assert ask(port, path)[0] == 404


def test_page_takes_no_posts(port):
    assert ask(port, "/", "POST")[0] == 405
    assert Site()(Request("POST", "/page/nothing.js")) is None


def test_page_asks_for_nothing_that_is_not_served_here():
    paths = set(Site().paths)
    for file in PAGE.iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//cdn", text), file.name
        assert set(re.findall(r'"(/page/[^"]+)"', text)) <= paths, file.name


def test_page_is_within_its_own_policy_and_sets_text_as_text():
    html = (PAGE / "index.html").read_text()
    assert re.findall(r"<script(?![^>]* src=)|<style|\sstyle=|\son[a-z]+=", html) == []
    scripts = "".join(file.read_text() for file in PAGE.glob("*.js"))
    assert re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", scripts) == []


def test_wheel_holds_the_page():
    settings = tomllib.loads((REPO / "pyproject.toml").read_text())["tool"]["setuptools"]
    patterns = settings["package-data"]["orchestrator.live"]
    for file in PAGE.iterdir():
        name = str(file.relative_to(PAGE.parent))
        assert any(fnmatch(name, pattern) for pattern in patterns), name


def test_codecs_to_choose_from_are_those_that_can_be_read(tmp_path):
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{}")
    (tmp_path / "shapes10").symlink_to(REPO / "codecs" / "shapes10")
    offered = choices(Catalog(tmp_path))
    names = [codec["name"] for codec in offered["codecs"]]
    assert "broken" not in names
    assert {"shapes10", "cifar10"} <= set(names)  # the shipped ones beside it
    assert offered["models"][:3] == ["awgn", "rayleigh", "rician"]
    assert {"tdl", "jakes", "oscillator", "clipping", "trace"} <= set(offered["models"])
    assert offered["model_settings"]["awgn"] == []
    (doppler,) = [s for s in offered["model_settings"]["jakes"] if s["key"] == "doppler"]
    assert doppler["kind"] == "number"
    assert (doppler["least"], doppler["most"], doppler["default"]) == (0, 0.5, 0.01)
    (file,) = [s for s in offered["model_settings"]["trace"] if s["key"] == "file"]
    assert (file["kind"], file["default"]) == ("text", None)
