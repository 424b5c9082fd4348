"""Send requests to a live system over HTTP."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from typing import Any

from orchestrator.live.api import CHANGE_DEADLINE_S, STATUS
from orchestrator.live.live_folder import Found
from semcom.errors import ConfigurationError, ProcessFailedError, SemcomError
from semcom.health import exit_code_of_status

DEADLINE_S = CHANGE_DEADLINE_S + 10.0
MAX_ANSWER_BYTES = 64 << 20
INTERNAL = 500  # and above: a failure of the system, not of the request


def read_status(system: Found) -> dict[str, Any]:
    """Return the status of a live system.

    Raises:
        ConfigurationError: no system answers there.
        ProcessFailedError: it refuses.
    """
    return _ask(system, urllib.request.Request(system.url + STATUS))


def change(system: Found, path: str, content: dict[str, Any]) -> dict[str, Any]:
    """Request a change; return its result.

    Raises:
        ConfigurationError: no system answers there.
        ProcessFailedError: it was refused, with the reason.
    """
    headers = {"Content-Type": "application/json"}
    if system.token:
        headers["Authorization"] = f"Bearer {system.token}"
    body = json.dumps(content).encode()
    return _ask(system, urllib.request.Request(system.url + path, body, headers, method="POST"))


def _ask(system: Found, request: urllib.request.Request) -> dict[str, Any]:
    # A proxy from the environment must not stand between here and the system.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=DEADLINE_S) as response:
            answer = json.loads(response.read(MAX_ANSWER_BYTES))
    except urllib.error.HTTPError as error:
        with error:
            raise _refused(error.read(MAX_ANSWER_BYTES), error.code) from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise ConfigurationError(f"no live system answers at {system.url}: {error}") from error
    if not isinstance(answer, dict):
        raise ConfigurationError(f"{system.url} is not a live system")
    return answer


def _refused(body: bytes, status: int) -> ProcessFailedError:
    try:
        content = json.loads(body)
        return ProcessFailedError(str(content["error"]), int(content["exit_code"]))
    except (ValueError, KeyError, TypeError, RecursionError):
        text = f"refused with HTTP status {status}"
        code = exit_code_of_status(status) if status < INTERNAL else SemcomError.exit_code
        return ProcessFailedError(text, code)
