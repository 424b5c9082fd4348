"""Who is let in, and who may say what: decisions without sockets."""

from __future__ import annotations

import shutil

import pytest
from zmq.utils import z85 as reference

from semcom import zap
from semcom.errors import AuthenticationError, ConfigurationError
from semcom.frame_messages import FrameKey, SymbolFrame, TaskResult
from semcom.keys import KeyFolder
from semcom.messages import CodecReport, Failure, FrameResult, Hello, Refusal, Results, Welcome
from semcom.speakers import Speaker, objection
from semcom.z85 import is_key, z85
from tests.semcom.keyring import LINK, OTHER_LINK, RECEIVER, key_folder

INSTANCE, CODEC = "0123456789abcdef", "ab" * 32


@pytest.fixture
def folder(tmp_path):
    return key_folder(tmp_path / "keys")


def question(folder, speaker=LINK, **changes):
    """What libzmq asks about a peer."""
    key = KeyFolder(folder).own(speaker.role, speaker.name).public_key
    parts = {
        "version": b"1.0",
        "request": b"7",
        "domain": zap.DOMAIN,
        "address": b"127.0.0.1",
        "identity": b"",
        "mechanism": b"CURVE",
        "key": reference.decode(key.encode()),
    }
    return [part for part in {**parts, **changes}.values() if part is not None]


def test_z85_is_that_of_zeromq():
    for raw in (bytes(32), bytes(range(32)), b"\xff" * 32):
        assert z85(raw).encode() == reference.encode(raw)


def test_text_of_a_key_is_told_from_others():
    assert all(is_key(z85(raw)) for raw in (bytes(32), b"\xff" * 32))
    wrong = ["", "0" * 39, "0" * 41, "0" * 39 + " ", "0" * 39 + "\n", "%nSc1" + "0" * 35, "#" * 40]
    assert not any(map(is_key, wrong))  # the last but one stands for 2**32


def test_authorised_key_is_let_in_under_its_role_and_name(folder):
    reply, verdict = zap.answer(question(folder), KeyFolder(folder).read())
    assert reply == [b"1.0", b"7", b"200", b"OK", b"transmitter/shapes10", b""]
    assert verdict.speaker == LINK


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"key": bytes(32)}, "unknown_key"),
        ({"mechanism": b"NULL", "key": None}, "no_key"),
        ({"mechanism": b"PLAIN", "key": b"user"}, "no_key"),
        ({"key": b"short"}, "malformed"),
        ({"key": None}, "malformed"),
        ({"domain": b"other"}, "malformed"),
        ({"version": b"2.0"}, "malformed"),
    ],
)
def test_everything_else_is_refused_with_a_reason(folder, changes, reason):
    reply, verdict = zap.answer(question(folder, **changes), KeyFolder(folder).read())
    assert reply[2] == b"400"
    assert reply[4] == b"", "nobody has no name"
    assert (verdict.speaker, verdict.reason) == (None, reason)


def test_question_without_parts_is_answered_all_the_same(folder):
    reply, verdict = zap.answer([], KeyFolder(folder).read())
    assert reply[2] == b"400"
    assert verdict.reason == "malformed"


def judged(keys, folder):
    return zap.answer(question(folder), keys.read())[1]


def test_key_is_let_in_from_the_moment_its_file_is_there_and_no_longer(folder):
    keys, file = KeyFolder(folder), folder / "authorized" / "shapes10.yaml"
    assert judged(keys, folder).speaker == LINK
    kept = file.read_text()
    file.unlink()
    assert judged(keys, folder).reason == "unknown_key"
    file.write_text(kept)
    assert judged(keys, folder).speaker == LINK


def test_revoked_wins_over_authorised_and_is_named(folder):
    shutil.copy(folder / "authorized" / "shapes10.yaml", folder / "revoked")
    verdict = judged(KeyFolder(folder), folder)
    assert (verdict.speaker, verdict.reason) == (None, "revoked_key")
    assert "shapes10" in verdict.detail


@pytest.mark.parametrize("damage", ["", "name: [", "name: shapes10\nrole: king\n", "\0\xff"])
def test_damaged_file_lets_nobody_in_and_the_others_stay(folder, damage):
    (folder / "authorized" / "shapes10.yaml").write_text(damage)
    keys = KeyFolder(folder)
    assert judged(keys, folder).reason == "unknown_key"
    assert zap.answer(question(folder, OTHER_LINK), keys)[1].speaker == OTHER_LINK


def test_file_under_another_name_lets_nobody_in(folder):
    authorized = folder / "authorized"
    (authorized / "shapes10.yaml").rename(authorized / "other.yaml")
    assert judged(KeyFolder(folder), folder).speaker is None


def test_key_that_two_peers_share_is_nobodys(folder):
    file = folder / "authorized" / "shapes10.yaml"
    twin = file.with_name("twin.yaml")
    twin.write_text(file.read_text().replace("name: shapes10", "name: twin"))
    assert judged(KeyFolder(folder), folder).reason == "unknown_key"


def test_missing_folder_lets_nobody_in(folder, tmp_path):
    assert zap.answer(question(folder), KeyFolder(tmp_path / "none"))[0][2] == b"400"


def test_own_key_must_be_there_and_ones_own(folder):
    keys = KeyFolder(folder)
    with pytest.raises(ConfigurationError, match="semcom keys"):
        keys.own("transmitter", "cifar10")
    with pytest.raises(AuthenticationError, match="of transmitter shapes10"):
        keys.own("receiver", "shapes10")
    (folder / "authorized" / "channel.yaml").unlink()
    with pytest.raises(ConfigurationError, match="channel"):
        keys.server("channel")


def test_secret_key_is_not_printed(folder):
    own = KeyFolder(folder).own("transmitter", "shapes10")
    secret = own.secret_key.get_secret_value()
    shown = [repr(own), str(own), own.model_dump_json(), f"{own.model_dump()}", f"{vars(own)}"]
    assert is_key(secret)
    assert all(secret not in each for each in shown)


def key_of(link):
    return FrameKey(run="r", point=0, link=link, frame=0)


def frame(link):
    return SymbolFrame(key=key_of(link), first_image=0, images=1, symbols=1, codec=CODEC)


def answer(link):
    return TaskResult(
        key=key_of(link),
        codec=CODEC,
        channel_ms=0,
        batch_wait_ms=0,
        decode_ms=0,
    )


def results(link):
    result = FrameResult(
        point=0, frame=0, images=1, score={"items": 1}, answer=b"\0\0", attempts=1, encode_ms=0,
        channel_ms=0, batch_wait_ms=0, decode_ms=0, round_trip_ms=0,
    )  # fmt: skip
    return Results(run="r", link=link, codec=CODEC, results=[result])


def hello(role, peer):
    return Hello(role=role, peer=peer, instance=INSTANCE)


def failure(role, peer):
    return Failure(role=role, peer=peer, exit_code=2, detail="")


REPORT = CodecReport(codec="c", digest=CODEC, loaded=True)


@pytest.mark.parametrize(
    ("speaker", "message"),
    [
        (LINK, hello("transmitter", "shapes10")),
        (LINK, frame("shapes10")),
        (LINK, results("shapes10")),
        (LINK, failure("transmitter", "shapes10")),
        (LINK, Refusal(reason="version", detail="")),
        (LINK, Welcome(instance=INSTANCE)),
        (RECEIVER, hello("receiver", "receiver-1")),
        (RECEIVER, answer("shapes10")),
        (RECEIVER, answer("shapes100")),
        (RECEIVER, REPORT),
        (Speaker("channel", "channel"), hello("channel", "channel")),
    ],
)
def test_peer_speaks_for_itself(speaker, message):
    assert objection(speaker, message) is None


@pytest.mark.parametrize(
    ("speaker", "message"),
    [
        (LINK, hello("transmitter", "shapes100")),
        (LINK, hello("receiver", "shapes10")),
        (LINK, hello("receiver", "receiver-1")),
        (LINK, hello("channel", "channel")),
        (LINK, frame("shapes100")),
        (LINK, results("shapes100")),
        (LINK, failure("transmitter", "shapes100")),
        (LINK, failure("channel", "channel")),
        (LINK, answer("shapes10")),
        (LINK, REPORT),
        (RECEIVER, hello("receiver", "receiver-2")),
        (RECEIVER, hello("transmitter", "receiver-1")),
        (RECEIVER, frame("receiver-1")),
        (RECEIVER, results("receiver-1")),
    ],
)
def test_peer_speaks_for_nobody_else(speaker, message):
    said = objection(speaker, message)
    assert said is not None
    assert str(speaker) in said
