"""The control API of a live system over HTTP: paths, and permissions for changes.

    GET  /api/status   (?since=UPTIME_S omits samples of the history up to that one)
    GET  /api/item     ?link=NAME: a recomputed item of the latest frame
    POST /api/channel  {"link": ..., "snr_db": ..., "model": ..., "course": "resume"}
    POST /api/codec    {"link": ..., "codec": ...}
    POST /api/sweep    {"scenario": {...}, "name": ..., "resume": false}
    POST /api/stop     {}

A change must be JSON, which pages of other sites cannot send without permission, and must not come
from a page of another origin. Requests must name a host of this system (`semcom/http_hosts.py`). If
the server is not bound to loopback, a change and an item need the token: `Authorization: Bearer
TOKEN`.
"""

from __future__ import annotations

import hmac
import json
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from orchestrator.live.requests import (
    BusyError,
    ChannelRequest,
    CodecRequest,
    Desk,
    ItemRequest,
    StatusRequest,
    StopSystem,
    SweepRequest,
    Wanted,
)
from semcom.errors import ConfigurationError, SemcomError
from semcom.health import refusal
from semcom.http_server import Request, Response
from semcom.settings import validate
from semcom.type_words import quoted

STATUS, ITEM = "/api/status", "/api/item"
CHANGES: Mapping[str, type[Wanted]] = {
    "/api/channel": ChannelRequest,
    "/api/codec": CodecRequest,
    "/api/sweep": SweepRequest,
    "/api/stop": StopSystem,
}
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")  # also without the token
STATUS_DEADLINE_S = 10.0
CHANGE_DEADLINE_S = 60.0


class Api:
    """Answers requests on the threads of the HTTP server."""

    def __init__(
        self,
        desk: Desk,
        *,
        host: str,
        token: str,
        more: Callable[[], Mapping[str, Any]] = dict,
        item: Callable[[Any], Mapping[str, Any]] = dict,
    ) -> None:
        """Serve a desk.

        Args:
            desk: passes requests to the serving thread.
            host: the address on which the server listens.
            token: token that a change needs if the page is not bound to loopback.
            more: further content of a status.
            item: returns an item of an answered frame.
        """
        self._desk = desk
        self._token = token
        self._more = more
        self._item = item
        self._on_loopback = host in LOOPBACK

    def __call__(self, request: Request) -> Response | None:
        """Return the response; None if the path is not part of the API."""
        if request.path not in (STATUS, ITEM, *CHANGES):
            return None
        objection = self._objection(request)
        if objection is not None:
            return refusal(*objection, request.path)
        try:
            if request.path == STATUS:
                answer = self._desk.ask(StatusRequest(), deadline_s=STATUS_DEADLINE_S)
                content = {**answer, **self._more(), "token_needed": not self._on_loopback}
                return _json(200, _since(content, request.query))
            if request.path == ITEM:
                named = parse_qs(request.query).get("link", [""])[-1]
                asked = validate(ItemRequest, {"link": named}, where=ITEM)
                answer = self._desk.ask(asked, deadline_s=STATUS_DEADLINE_S)
                return _json(200, self._item(answer["frame"]))
            wanted = validate(CHANGES[request.path], _parsed(request.body), where=request.path)
            return _json(200, self._desk.ask(wanted, deadline_s=CHANGE_DEADLINE_S))
        except BusyError as error:
            return _json(503, {"error": str(error), "exit_code": error.exit_code})
        except SemcomError as error:
            return _json(400, {"error": str(error), "exit_code": error.exit_code})

    def _objection(self, request: Request) -> tuple[int, str] | None:
        """Return HTTP status and reason of a refusal; None if the request is allowed."""
        host = request.headers.get("host", "")
        if request.path in (STATUS, ITEM):
            if request.method != "GET":
                return 405, "this path needs GET"
            if request.path == ITEM and not self._on_loopback and not self._may_change(request):
                return 401, "an item needs the token: Authorization: Bearer TOKEN"
            return None
        if request.method != "POST":
            return 405, "a change needs POST"
        origin = request.headers.get("origin")
        if origin is not None and origin.partition("://")[2] != host:
            return 403, "a page of another origin may not change anything here"
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json":
            return 415, "a change must be application/json"
        if not request.body.strip():
            return 400, "the body is empty: send JSON, at least {}"
        if not self._on_loopback and not self._may_change(request):
            return 401, "a change needs the token: Authorization: Bearer TOKEN"
        return None

    def _may_change(self, request: Request) -> bool:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        known = self._token.encode()
        given_bytes = given.strip().encode(errors="replace")
        return (
            bool(known) and scheme.lower() == "bearer" and hmac.compare_digest(given_bytes, known)
        )


def _since(status: dict[str, Any], query: str) -> dict[str, Any]:
    """Return a status with only the samples that the client does not have."""
    since = parse_qs(query).get("since")
    if since is None:
        return status
    try:
        since_s = float(since[-1])
    except ValueError as error:
        raise ConfigurationError("since must be a number of seconds") from error
    links = []
    for link in status["links"]:
        columns = link["history"]
        first = bisect_right(columns["uptime_s"], since_s)
        links.append({**link, "history": {name: of[first:] for name, of in columns.items()}})
    return {**status, "links": links}


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body, object_pairs_hook=_unique)
    except RecursionError as error:
        raise ConfigurationError("the body is JSON with too many levels of nesting") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"the body is not UTF-8: byte {error.start}") from error
    except ValueError as error:
        raise ConfigurationError(f"the body is not JSON: {error}") from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON map; refuse duplicate keys."""
    found = dict(pairs)
    if len(found) != len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ConfigurationError(f"the body contains the key {quoted(twice)} twice")
    return found


def _json(status: int, content: Mapping[str, Any]) -> Response:
    headers = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
    return Response(status, json.dumps(content).encode(), "application/json", headers)
