"""What a failed handshake means, told by events alone."""

from __future__ import annotations

import errno
import socket

import pytest

from semcom.errors import AuthenticationError
from semcom.handshakes import (
    CONFIRMATIONS,
    CRYPTOGRAPHIC,
    HANG_UPS,
    KEY_EXCHANGE,
    MECHANISM_MISMATCH,
    HandshakeWatch,
    greets_with_curve,
    refusal_reason,
)

ENOUGH = HANG_UPS * CONFIRMATIONS


def watch(*, keyed=True, greets=True):
    return HandshakeWatch("uplink tcp://hub:1", keyed=keyed, greets=lambda: greets)


def hang_up(watched, times, code=errno.EPIPE):
    for _ in range(times):
        watched.take("no_detail", code)


@pytest.mark.parametrize(
    ("event", "value", "reason"),
    [
        ("protocol", MECHANISM_MISMATCH, "no_key"),
        ("protocol", CRYPTOGRAPHIC, "wrong_server_key"),
        ("protocol", KEY_EXCHANGE, "wrong_server_key"),
        ("protocol", 0x10000013, "malformed"),
        ("no_detail", errno.EFAULT, "dead_authenticator"),
        ("no_detail", errno.EPIPE, "broken_off"),
        ("no_detail", errno.EAGAIN, "broken_off"),
    ],
)
def test_server_names_the_reason(event, value, reason):
    found = refusal_reason(event, value)
    assert found is not None
    assert found[0] == reason


def test_server_counts_what_its_authenticator_refused_only_once():
    assert refusal_reason("auth", 400) is None
    assert refusal_reason("succeeded", 0) is None


def test_refused_key_is_told_at_once():
    with pytest.raises(AuthenticationError, match="refuses the key"):
        watch().take("auth", 400)


@pytest.mark.parametrize(
    ("keyed", "words"), [(True, "connects without keys"), (False, r"set security\.keys")]
)
def test_key_at_one_end_only_is_told_at_both(keyed, words):
    with pytest.raises(AuthenticationError, match=words):
        watch(keyed=keyed).take("protocol", MECHANISM_MISMATCH)


def test_server_that_hangs_up_and_yet_is_there_has_another_key():
    watched = watch()
    hang_up(watched, ENOUGH - 1)
    with pytest.raises(AuthenticationError, match="interrupted"):
        hang_up(watched, 1)


def test_dead_server_and_cut_network_are_waited_for():
    hang_up(watch(greets=False), 10 * ENOUGH)


def test_server_that_stands_still_is_waited_for():
    hang_up(watch(), 10 * ENOUGH, code=errno.EAGAIN)


def test_success_makes_hang_ups_forgotten():
    watched = watch()
    for _ in range(10):
        hang_up(watched, ENOUGH - 1)
        watched.take("succeeded", 0)


def test_server_gone_between_two_looks_is_waited_for():
    answers = iter([True, True, False] * 20)
    watched = HandshakeWatch("uplink", keyed=True, greets=lambda: next(answers))
    hang_up(watched, 20 * ENOUGH)


def test_without_keys_a_dropped_connection_is_nothing():
    hang_up(watch(keyed=False), 10 * ENOUGH)


def test_nobody_and_silence_and_other_services_do_not_greet():
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        assert not greets_with_curve(address), "listens and says nothing"
    assert not greets_with_curve(address), "nobody listens"
