"""One composed stack for all tests of this folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest

from semcom.sockets import free_ports
from tests.compose.stack import BUILD_S, GRAFANA, Stack, can_be_had, why_not

SCENARIO = Path(__file__).with_name("scenario.yaml")


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """The stack, built from this tree with the torch of this environment, and started."""
    reason = why_not()
    if reason is not None:
        pytest.skip(f"the composed stack runs in Docker, and {reason}")
    prometheus_port, grafana_port, page_port = free_ports(3)
    environment = {
        "TORCH": os.environ.get("TORCH", f"torch=={version('torch')}"),
        "SWEEP_SCENARIO": str(SCENARIO),
        "PROMETHEUS_PORT": str(prometheus_port),
        "GRAFANA_PORT": str(grafana_port),
        "PAGE_PORT": str(page_port),
    }
    stack = Stack(environment, prometheus=f"http://127.0.0.1:{prometheus_port}")
    if not can_be_had(GRAFANA):
        stack.left_out.append("grafana")
        sys.stderr.write(f"\n{GRAFANA} cannot be had here: the stack is started without it\n")
    try:
        stack.run("build", timeout_s=BUILD_S)
        stack.up()
        yield stack
    finally:
        sys.stderr.write(stack.run("logs", "--no-color", "--tail=20", check=False).stdout)
        stack.run("down", "-v", "--remove-orphans", "--timeout=10")
