"""The control API: who may ask, who may change, and what the answer says."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orchestrator.live import api as api_module
from orchestrator.live.api import Api
from orchestrator.live.requests import ChannelRequest, Desk, StatusRequest, StopSystem
from orchestrator.plan.scenario import Scenario
from semcom.errors import ConfigurationError
from semcom.http_server import Request
from semcom.wakeup import Wakeup

TOKEN = "s3cret"
SWEEP = {"name": "s", "links": {"a": {"dataset": "d", "codec": "c"}}, "snr_db": [0]}
LOCAL = {"host": "127.0.0.1:8080", "content-type": "application/json"}


@contextmanager
def served(host="127.0.0.1", answer=lambda wanted: {"took": type(wanted).__name__}):
    """An API whose requests are answered by another thread, and what was asked."""
    wakeup, ended, seen = Wakeup(), threading.Event(), []
    desk = Desk(wakeup)

    def serve() -> None:
        while not ended.wait(0.001):
            for asked in desk.take():
                seen.append(asked.wanted)
                try:
                    asked.answer.set_result(answer(asked.wanted))
                except ConfigurationError as error:
                    asked.answer.set_exception(error)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield Api(desk, host=host, token=TOKEN, more=lambda: {"jobs": []}), seen
    finally:
        ended.set()
        thread.join()
        wakeup.close()


@pytest.fixture
def local() -> Iterator[tuple[Api, list[object]]]:
    with served() as both:
        yield both


@pytest.fixture
def wakeup() -> Iterator[Wakeup]:
    one = Wakeup()
    yield one
    one.close()


def post(api, path="/api/channel", content=None, **headers):
    body = json.dumps({"link": "a", "snr_db": 3.0} if content is None else content).encode()
    given = {k.replace("_", "-"): v for k, v in headers.items()}
    response = api(Request("POST", path, {**LOCAL, **given}, body))
    return response.status, json.loads(response.body)


def test_status_is_told_with_what_is_known_beside_it(local):
    api, seen = local
    response = api(Request("GET", "/api/status", LOCAL))
    assert response.status == 200
    assert json.loads(response.body) == {
        "took": "StatusRequest",
        "jobs": [],
        "token_needed": False,
    }
    assert seen == [StatusRequest()]


@pytest.mark.parametrize(
    ("query", "times"),
    [("", [1.5, 2.5, 3.5]), ("since=2.5", [3.5]), ("since=0", [1.5, 2.5, 3.5]), ("since=9", [])],
)
def test_history_is_told_from_a_time_on(query, times):
    history = {"uptime_s": [1.5, 2.5, 3.5], "value": [0.1, None, 0.3]}
    with served(answer=lambda wanted: {"links": [{"link": "a", "history": history}]}) as (api, _):
        response = api(Request("GET", "/api/status", LOCAL, query=query))
    told = json.loads(response.body)["links"][0]["history"]
    assert told["uptime_s"] == times
    assert len(told["value"]) == len(times)


def test_time_that_is_none_is_refused(local):
    api, _ = local
    response = api(Request("GET", "/api/status", LOCAL, query="since=noon"))
    assert response.status == 400
    assert "since must be a number" in json.loads(response.body)["error"]


def test_change_on_loopback_needs_no_token(local):
    api, seen = local
    assert post(api)[0] == 200
    assert post(api, "/api/stop", {})[0] == 200
    assert seen == [ChannelRequest(link="a", snr_db=3.0), StopSystem()]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://evil.example"}, 403),
        ({"origin": "null"}, 403),
        ({"origin": "http://127.0.0.1:9999"}, 403),
        ({"content_type": "text/plain"}, 415),
        ({"content_type": "application/x-www-form-urlencoded"}, 415),
    ],
)
def test_pages_of_other_sites_change_nothing(local, headers, status):
    api, seen = local
    found, answer = post(api, **headers)
    assert found == status
    assert answer["exit_code"] == (4 if status == 403 else 2)
    assert seen == []


def test_page_of_its_own_may_change_things(local):
    api, _ = local
    assert post(api, origin="http://127.0.0.1:8080")[0] == 200
    assert post(api, host="localhost:8080", origin="http://localhost:8080")[0] == 200


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (None, 401), ("", 401), ("Bearer", 401), ("Bearer wrong", 401), (f"Basic {TOKEN}", 401),
        (TOKEN, 401), ("Bearer s3cr\u00e9t", 401), (f"Bearer {TOKEN}", 200),
    ],
)  # fmt: skip
def test_elsewhere_a_change_needs_the_token_and_a_status_does_not(authorization, status):
    with served(host="0.0.0.0") as (api, seen):
        headers = {} if authorization is None else {"authorization": authorization}
        assert post(api, host="semcom.example", **headers)[0] == status
        assert len(seen) == (status == 200)
        assert api(Request("GET", "/api/status", {"host": "semcom.example"})).status == 200


def test_without_a_token_nothing_can_be_changed_from_elsewhere(wakeup):
    api = Api(Desk(wakeup), host="0.0.0.0", token="")
    status, answer = post(api, authorization="Bearer ")
    assert (status, answer["exit_code"]) == (401, 4)


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/api/channel", {"link": "a", "snr_db": 99}),
        ("/api/channel", {"link": "a", "model": "magic"}),
        ("/api/channel", {"link": "a", "unknown": 1}),
        ("/api/channel", {"link": "a", "settings": {}}),
        ("/api/channel", {"link": "a", "settings": [1]}),
        ("/api/channel", {"link": "a", "settings": {str(key): 0 for key in range(65)}}),
        ("/api/channel", []),
        ("/api/channel", {"link": "a"}),
        ("/api/channel", {"link": "a", "snr_db": None, "model": None}),
        ("/api/channel", {"link": "a", "snr_db": 3, "course": "resume"}),
        ("/api/channel", {"link": "a", "snr_db": "3"}),
        ("/api/channel", {"link": "a", "snr_db": True}),
        ("/api/channel", {"link": "a\0", "snr_db": 3}),
        ("/api/sweep", {"scenario": {**SWEEP, "channels": [{"model": "awgn", "csi": "none"}]}}),
        ("/api/sweep", {"scenario": {**SWEEP, "snr_db": {"start": 0, "stop": 5, "step": 2}}}),
        ("/api/codec", {"link": "a"}),
        ("/api/sweep", {"scenario": {"name": "x"}}),
        ("/api/sweep", {"scenario": {}, "name": "../x"}),
    ],
)
def test_wrong_request_is_one_line_with_the_exit_code(local, path, content):
    api, seen = local
    status, answer = post(api, path, content)
    assert (status, answer["exit_code"]) == (400, 2)
    assert "\n" not in answer["error"]
    assert seen == []


def test_sweep_is_taken_as_a_file_has_it_and_as_a_command_sends_it(local):
    api, seen = local
    channels = [
        {"model": "awgn"},
        {"model": "rician", "csi": "none"},
        {"model": "jakes", "doppler": 0.2},
    ]
    written = {**SWEEP, "channels": channels}
    sent = Scenario.model_validate(written).model_dump(mode="json")
    assert sent["channels"][0]["rician_k"] == 4.0, "all keys, as earlier versions send them"
    for scenario in (written, sent):
        assert post(api, "/api/sweep", {"scenario": scenario})[0] == 200
    assert seen[0] == seen[1]


def test_key_that_a_request_gives_twice_is_refused(local):
    api, seen = local
    body = b'{"link": "a", "snr_db": 3, "snr_db": 4}'
    answer = api(Request("POST", "/api/channel", LOCAL, body))
    assert answer.status == 400
    assert b"the key 'snr_db' twice" in answer.body
    assert seen == []


NO_JSON = {
    b"": "the body is empty: send JSON, at least {}",
    b" \r\n": "the body is empty",
    b"{": "is not JSON",
    b"\xff{}": "is not UTF-8",
    b"[" * 100_000: "too many levels",
    b'{"a": 1, "a": 2}': "the body contains the key 'a' twice",
    b"9" * 10_000: "is not JSON",
    b"nothing": "is not JSON",
}


def test_what_is_not_json_is_refused(local):
    api, _ = local
    for body, said in NO_JSON.items():
        response = api(Request("POST", "/api/stop", LOCAL, body))
        answer = json.loads(response.body)
        assert (response.status, answer["exit_code"]) == (400, 2)
        assert said in answer["error"]
        assert len(answer["error"]) < 300
        assert "\n" not in answer["error"]
    assert api(Request("GET", "/api/stop", LOCAL)).status == 405
    assert api(Request("POST", "/api/status", LOCAL, b"{}")).status == 405
    assert api(Request("GET", "/api/else", LOCAL)) is None


def test_refusal_of_the_system_is_told():
    def refuse(wanted):
        raise ConfigurationError("no link 'a'; links: b")

    with served(answer=refuse) as (api, _):
        assert post(api) == (400, {"error": "no link 'a'; links: b", "exit_code": 2})


def test_system_that_does_not_answer_is_busy(monkeypatch, wakeup):
    monkeypatch.setattr(api_module, "STATUS_DEADLINE_S", 0.01)
    api = Api(Desk(wakeup), host="127.0.0.1", token=TOKEN)
    assert api(Request("GET", "/api/status", LOCAL)).status == 503
