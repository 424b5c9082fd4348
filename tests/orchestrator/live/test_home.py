"""The token of a live system: in no message, and no way out of the folder by a name."""

from __future__ import annotations

import json
import os
from pathlib import Path

import psutil
import pytest

from orchestrator.live.client import change
from orchestrator.live.live_folder import TOKEN_VARIABLE, Found, Home, find_system
from semcom.errors import ConfigurationError, SemcomError

TOKEN = "s3cret-of-many-letters"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """The home of a system that this process is."""
    home = Home(tmp_path, "live")
    home.folder.mkdir(parents=True)
    started_s = psutil.Process().create_time()
    content = {"url": "http://127.0.0.1:9", "pid": os.getpid(), "started_s": started_s}
    (home.folder / "live.json").write_text(json.dumps(content))
    return home


@pytest.mark.parametrize("text", [f"{TOKEN}\nX: y", f"a {TOKEN}", f"{TOKEN}\u20ac", f"{TOKEN}\0"])
def test_token_that_no_header_can_carry_is_refused_and_not_shown(home, text, monkeypatch):
    (home.folder / "token").write_text(text)
    with pytest.raises(ConfigurationError, match="token must hold printable ASCII") as caught:
        home.find()
    assert TOKEN not in str(caught.value)
    if "\0" in text:
        return
    monkeypatch.setenv(TOKEN_VARIABLE, text)
    for name in ("http://127.0.0.1:9", "live"):
        with pytest.raises(ConfigurationError, match=TOKEN_VARIABLE) as caught:
            find_system(home.folder.parents[1], name)
        assert TOKEN not in str(caught.value)


def test_token_is_read_and_in_no_repr_and_no_error(home, monkeypatch):
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    (home.folder / "token").write_text(TOKEN + "\n")
    found = find_system(home.folder.parents[1], None)
    assert found.token == TOKEN
    assert TOKEN not in repr(found)
    with pytest.raises(SemcomError) as caught:
        change(Found("x", "http://127.0.0.1:1", TOKEN, None), "/api/stop", {})
    assert TOKEN not in str(caught.value)


@pytest.mark.timeout(10)
def test_fifo_in_place_of_a_file_is_not_waited_for(home):
    os.mkfifo(home.folder / "token")
    assert home.find().token == os.environ.get(TOKEN_VARIABLE, "")
    (home.folder / "live.json").unlink()
    os.mkfifo(home.folder / "live.json")
    assert home.find() is None


@pytest.mark.parametrize("name", ["../live", "a/b", "..", "", "Live", "x\n"])
def test_system_goes_by_a_name_and_no_path(home, name):
    with pytest.raises(ConfigurationError, match="must match"):
        find_system(home.folder.parents[1], name)
