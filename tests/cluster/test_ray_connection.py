"""A connection to Ray, whose own server for a driver may not start at the first attempt.

`make test-cluster` installs Ray and runs this.
"""

from __future__ import annotations

from typing import Any

import pytest

from semcom.errors import ConfigurationError

ray = pytest.importorskip("ray", reason="ray is not installed: make test-cluster")
pytestmark = pytest.mark.cluster

NOT_STARTED = "Starting Ray client server failed. See ray_client_server_23000.err"


@pytest.fixture
def attempts(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What every attempt to connect ends with, the next one last; an empty text for a success."""
    from orchestrator.on_ray import connection  # noqa: PLC0415 - needs Ray

    ends: list[str] = []

    def init(**_: Any) -> None:
        if end := ends.pop():
            raise ConnectionAbortedError(f"Initialization failure from server:\n{end}")

    monkeypatch.setattr(ray, "init", init)
    monkeypatch.setattr(connection, "check_answers", lambda place: None)
    return ends


def connect() -> None:
    from orchestrator.on_ray.connection import connection  # noqa: PLC0415

    with connection("ray://127.0.0.1:1"):
        pass


def test_server_that_starts_at_the_third_attempt_is_enough(attempts: list[str]) -> None:
    attempts += ["", NOT_STARTED, NOT_STARTED]
    connect()
    assert attempts == []


def test_server_that_never_starts_is_one_line(attempts: list[str]) -> None:
    attempts += ["not asked", *[NOT_STARTED] * 3]
    with pytest.raises(ConfigurationError, match=r"no cluster answers \(Starting Ray client"):
        connect()
    assert attempts == ["not asked"]


def test_other_errors_are_not_repeated(attempts: list[str]) -> None:
    attempts += ["not asked", "wrong version of Python"]
    with pytest.raises(ConfigurationError, match="wrong version of Python"):
        connect()
    assert attempts == ["not asked"]
