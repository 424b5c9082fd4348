"""A connection to a Ray cluster, and Ray's messages in one line."""

from __future__ import annotations

import os
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import ray
from ray.exceptions import RayError

from semcom.errors import ConfigurationError
from semcom.stop_signals import keeping_answers

LOCAL = "ray"
CLIENT = "ray://"
CLIENT_PORT = 10001  # port for drivers on other machines
CONNECT_S = 10.0
# Ray forks a server for every driver; now and then a fork does not start, and the next one does.
STARTS = 3
NOT_STARTED = ("Starting Ray client server failed", "Proxy failed to Connect to backend")
AUTHENTICATION = "RAY_AUTH_MODE"  # Ray's own setting; it is read when Ray is imported


@contextmanager
def connection(address: str, *, cpus: int | None = None) -> Iterator[None]:
    """Connect to the cluster at an address, or start one here; disconnect at the end.

    Args:
        address: `ray` for one that is started here, `ray://HOST[:PORT]`, or or `auto` or HOST:PORT
            for one of which this machine is a node.
        cpus: processors of one that is started here; default those of this machine.

    Raises:
        ConfigurationError: there is no cluster.
    """
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "error"}
    if address == LOCAL:
        options |= {"address": "local", "include_dashboard": False, "num_cpus": cpus}
    else:
        options["address"] = client_address(address)
    try:
        check_answers(options["address"].removeprefix(CLIENT))
        with warnings.catch_warnings(), keeping_answers():
            warnings.simplefilter("ignore")  # what it warns of before it gives up is told below
            _init(options)
    except (OSError, RuntimeError, ValueError, RayError) as error:
        why = f"--on {address}: no cluster answers ({last_line(error)}){_hint(address)}"
        raise ConfigurationError(why) from error
    try:
        yield
    finally:
        ray.shutdown()


def _init(options: dict[str, Any]) -> None:
    for left in reversed(range(STARTS)):
        try:
            ray.init(**options)
        except (OSError, RuntimeError) as error:
            if not left or not any(each in str(error) for each in NOT_STARTED):
                raise
        else:
            return


def client_address(address: str) -> str:
    """Return an address with a port, if it is a client server's address without one."""
    host = address.removeprefix(CLIENT)
    return f"{address}:{CLIENT_PORT}" if host != address and ":" not in host else address


def _hint(address: str) -> str:
    """Return a hint: a cluster that requires a token does not tell a client."""
    if not address.startswith(CLIENT) or AUTHENTICATION in os.environ:
        return ""
    return f"; if it requires a token, set {AUTHENTICATION}=token and RAY_AUTH_TOKEN"


def check_answers(place: str) -> None:
    """Check that a server listens at HOST:PORT; Ray itself would try for minutes.

    Raises:
        OSError: none does.
    """
    host, _, port = place.rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=CONNECT_S).close()


def last_line(error: Exception) -> str:
    """Return the last line of Ray's long message."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines or [type(error).__name__])[-1][:200]
