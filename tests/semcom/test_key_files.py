"""A key file is read whole and private, or refused in a line that shows nothing of it."""

from __future__ import annotations

import json
import logging
import os
from pathlib import Path

import pytest
import yaml
import zmq
from hypothesis import given
from hypothesis import strategies as st

from channel_sim.settings import BrokerSettings
from semcom.errors import AuthenticationError, ConfigurationError, SemcomError
from semcom.files import read_text
from semcom.key_files import MAX_KEY_FILE_BYTES, PublicKey, SecretKey, read_key_file
from semcom.key_pool import claim
from semcom.keys import KeyFolder
from semcom.log_limit import LogLimit
from semcom.service import main
from semcom.settings import ProcessSettings, validate
from semcom.sockets import Endpoint
from tests.properties import examples
from tests.semcom.keyring import CHANNEL, LINK, ORCHESTRATOR, Keyed, key_folder

SECRET = "s3cr3t-N0b0dy-M4y-R34d-Th1s-1n-4ny-L0g/#"
GOOD = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"  # of ZeroMQ's documentation
assert len(SECRET) == 40
fuzz = examples(150)
HEAD = "name: shapes10\nrole: transmitter\npublic_key: '" + GOOD + "'\n"
MALFORMED = {
    "short": f"{HEAD}secret_key: '{SECRET[:-1]}'\n",
    "long": f"{HEAD}secret_key: '{SECRET}x'\n",
    "no characters of Z85": f"{HEAD}secret_key: '{SECRET[:-1]}~'\n",
    "too large a group": f"{HEAD}secret_key: '{SECRET[:-5]}#####'\n",
    "a list": f"{HEAD}secret_key: ['{SECRET}']\n",
    "a map": f"{HEAD}secret_key: {{'{SECRET}': 1}}\n",
    "a number": f"{HEAD}secret_key: 12345678901234567890\n",
    "no space": f"{HEAD}secret_key:'{SECRET}'\n",
    "no quotes": f"{HEAD}secret_key: {SECRET[:20]}: {SECRET[20:]}\n",
    "a quote open": f"{HEAD}secret_key: '{SECRET}\n",
    "twice": f"{HEAD}secret_key: '{SECRET}'\nsecret_key: '{SECRET}'\n",
    "as another field": f"{HEAD}secret: '{SECRET}'\n",
    "as a field's name": f"{HEAD}'{SECRET}': x\n",
    "as the name": HEAD.replace("shapes10", f"'{SECRET}'") + f"secret_key: '{GOOD}'\n",
    "as the role": HEAD.replace("transmitter", f"'{SECRET}'") + f"secret_key: '{GOOD}'\n",
    "as the public key": HEAD.replace(GOOD, f"{SECRET[:-1]}~") + f"secret_key: '{GOOD}'\n",
    "alone": SECRET,
    "in a list": f"- '{SECRET}'\n",
    "with a tab": f"{HEAD}\tsecret_key: '{SECRET}'\n",
    "with a tag": f"{HEAD}secret_key: !{SECRET[:10]} '{SECRET}'\n",
    "as an alias": f"{HEAD}secret_key: *{SECRET[:9]}\n",
    "with a zero": f"{HEAD}secret_key: '{SECRET}\0'\n",
    "of Latin-1": f"{HEAD}# für\nsecret_key: '{SECRET}'\n",
    "empty": "",
}


def shown(text: str) -> bool:
    """Whether six characters of the secret in a row are shown."""
    return any(SECRET[start : start + 6] in text for start in range(len(SECRET) - 5))


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode("latin-1"))
    path.chmod(0o600)
    return path


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
@pytest.mark.parametrize("model", [SecretKey, PublicKey])
def test_malformed_key_file_is_one_line_that_shows_nothing_of_it(model, text, tmp_path):
    path = written(tmp_path / "shapes10.yaml", text)
    with pytest.raises(ConfigurationError) as caught:
        read_key_file(model, path)
    line = str(caught.value)
    assert str(path) in line
    assert "\n" not in line
    assert not shown(line)
    error = caught.value
    assert error.__context__ is None or error.__suppress_context__ or not shown(repr(error))
    assert not shown("".join(logging.Formatter().formatException((type(error), error, None))))


@pytest.mark.parametrize("text", MALFORMED.values(), ids=MALFORMED)
def test_process_shows_nothing_of_a_malformed_key(text, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(logging.root, "handlers", [])
    keys = key_folder(tmp_path / "keys")
    written(keys / "secret" / "channel.yaml", text)
    written(keys / "authorized" / "x.yaml", text)
    config = tmp_path / "processes.yaml"
    section = {"uplink": "tcp://127.0.0.1:0", "downlink": "tcp://127.0.0.1:0"}
    config.write_text(yaml.safe_dump({"channel": {**section, "security": {"keys": str(keys)}}}))
    code = main(
        "channel", BrokerSettings, lambda: never_built, ["--config", str(config), "--id", "channel"]
    )
    printed = "".join(capfd.readouterr())
    assert code == 2
    assert len(printed.splitlines()) == 1
    assert json.loads(printed)["exit_code"] == 2
    assert not shown(printed)


def never_built(*_: object):
    raise AssertionError("a process with a malformed key must not start")


@fuzz
@given(
    text=st.binary(max_size=200).map(lambda raw: raw.decode("latin-1"))
    | st.tuples(st.text("\n:'\"{}[]&*!|>%@ \t#-?,", max_size=6), st.integers(0, 140)).map(
        lambda cut: (
            (HEAD + f"secret_key: '{SECRET}'")[: cut[1]]
            + cut[0]
            + (HEAD + f"secret_key: '{SECRET}'")[cut[1] :]
        )
    )
)
def test_no_bytes_in_a_key_file_are_shown_or_an_error_of_another_kind(text, tmp_path_factory):
    path = written(tmp_path_factory.getbasetemp() / "fuzzed.yaml", text)
    try:
        read_key_file(SecretKey, path)
    except ConfigurationError as error:
        line = str(error)
    else:
        return
    assert not shown(line)
    assert "\n" not in line


@pytest.mark.parametrize("content", [SECRET, [SECRET], {"keys": [SECRET]}, {SECRET: 1}])
def test_secret_in_a_setting_is_not_quoted(content):
    with pytest.raises(ConfigurationError) as caught:
        validate(ProcessSettings, {"security": content}, where="f")
    assert not shown(str(caught.value).replace("unknown key", ""))


@pytest.mark.parametrize("mode", [0o604, 0o602, 0o620, 0o640, 0o644, 0o666, 0o777])
def test_secret_that_others_can_read_or_write_is_refused(mode, tmp_path):
    keys = key_folder(tmp_path / "keys")
    (keys / "secret" / "shapes10.yaml").chmod(mode)
    with pytest.raises(AuthenticationError, match=f"mode {mode:04o}.*chmod 600") as caught:
        KeyFolder(keys).own("transmitter", "shapes10")
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("mode", [0o602, 0o622, 0o660, 0o666])
def test_public_file_that_others_can_write_lets_nobody_in(mode, tmp_path, caplog):
    keys = key_folder(tmp_path / "keys")
    folder = KeyFolder(keys)
    own = folder.own("transmitter", "shapes10")
    assert folder.judge(own.public_key).speaker == LINK
    (keys / "authorized" / "shapes10.yaml").chmod(mode)
    assert folder.judge(own.public_key).reason == "unknown_key"
    assert "others can change it" in caplog.text
    (keys / "authorized" / "shapes10.yaml").chmod(0o644)
    assert folder.judge(own.public_key).speaker == LINK


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o777, 0o1777])
@pytest.mark.parametrize("which", ["", "secret", "authorized", "revoked"])
def test_folder_that_others_can_write_is_refused(which, mode, tmp_path):
    keys = key_folder(tmp_path / "keys")
    (keys / which).chmod(mode)
    with pytest.raises(AuthenticationError, match=f"mode {mode:04o}.*chmod 700"):
        KeyFolder(keys).own("transmitter", "shapes10")


def test_secret_of_root_may_be_read_by_the_group_that_it_is_handed_to(tmp_path, monkeypatch):
    keys = key_folder(tmp_path / "keys")
    (keys / "secret" / "shapes10.yaml").chmod(0o440)
    owner = (keys / "secret" / "shapes10.yaml").stat().st_uid
    if owner != 0:
        pytest.skip("only root has files of root")
    monkeypatch.setattr(os, "geteuid", lambda: 10001)
    assert KeyFolder(keys).own("transmitter", "shapes10").speaker == LINK


def test_keys_of_another_user_are_refused(tmp_path, monkeypatch):
    keys = key_folder(tmp_path / "keys")
    if os.geteuid() == 0:  # only root can give a file away
        for path in (keys, *keys.rglob("*")):
            os.chown(path, 10002, 10002)
    monkeypatch.setattr(os, "geteuid", lambda: 10001)
    with pytest.raises(AuthenticationError, match="belongs to user"):
        KeyFolder(keys).own("transmitter", "shapes10")


@pytest.mark.timeout(20)
@pytest.mark.parametrize("kind", ["FIFO", "folder", "device", "endless", "large"])
def test_what_is_no_small_regular_file_is_no_key(kind, tmp_path):
    keys = key_folder(tmp_path / "keys")
    own = KeyFolder(keys).own("transmitter", "shapes10")
    for path in (keys / "secret" / "shapes10.yaml", keys / "authorized" / "shapes10.yaml"):
        path.unlink()
        match kind:
            case "FIFO":
                os.mkfifo(path, 0o600)
            case "folder":
                path.mkdir()
            case "device":
                path.symlink_to("/dev/zero")
            case "endless":
                path.symlink_to("/proc/self/environ")
            case _:
                written(path, "#" * (MAX_KEY_FILE_BYTES + 1))
    folder = KeyFolder(keys)
    with pytest.raises(SemcomError) as caught:
        folder.own("transmitter", "shapes10")
    assert caught.value.exit_code in (2, 4)
    with pytest.raises(ConfigurationError):
        claim(folder, "transmitter", "shapes10")
    assert folder.judge(own.public_key).reason == "unknown_key"


def test_revocation_that_cannot_be_read_still_revokes(tmp_path):
    keys = key_folder(tmp_path / "keys")
    own = KeyFolder(keys).own("transmitter", "shapes10")
    written(keys / "revoked" / "shapes10.yaml", "broken")
    verdict = KeyFolder(keys).judge(own.public_key)
    assert verdict.speaker is None
    assert verdict.reason == "revoked_key"


def test_halves_of_two_keys_are_no_key(tmp_path, zmq_context):
    keys = key_folder(tmp_path / "keys")
    path = keys / "secret" / "channel.yaml"
    content = yaml.safe_load(read_text(path, max_bytes=MAX_KEY_FILE_BYTES))
    secret = zmq.curve_keypair()[1].decode()
    written(path, yaml.safe_dump({**content, "secret_key": secret}))
    security = Keyed(keys, CHANNEL).security
    for make in (
        lambda: Endpoint.bind("tcp://127.0.0.1:0", name="uplink", security=security),
        lambda: Endpoint.connect("tcp://127.0.0.1:9", name="control", security=security),
    ):
        with pytest.raises(AuthenticationError, match="does not belong") as caught:
            make()
        assert secret not in str(caught.value)


def test_unknown_keys_fill_no_log(tmp_path, caplog, monkeypatch):
    now = [100.0]
    keyed = Keyed(key_folder(tmp_path / "keys"), ORCHESTRATOR)
    monkeypatch.setattr(keyed.security, "_limit", LogLimit(5, clock=lambda: now[0]))
    for number in range(500):
        keyed.security.refused("unknown_key", f"unknown key {number}")
        keyed.security.log_held_back()
    assert len(caplog.records) == 5
    now[0] += 1
    keyed.security.log_held_back()
    keyed.security.log_held_back()
    assert len(caplog.records) == 6
    assert caplog.records[-1].fields == {"count": 495}
    assert keyed.refused() == {"unknown_key": 500}
    keyed.security.refused("unknown_key", "unknown key, later")
    assert len(caplog.records) == 7


@fuzz
@given(
    # Parts of 1/1024 s: their sums are exact.
    steps=st.lists(st.tuples(st.integers(0, 3072), st.booleans()), max_size=200),
    lines=st.integers(1, 6),
)
def test_every_line_is_written_or_counted_and_seconds_are_bounded(steps, lines):
    now = [0.0]
    limit = LogLimit(lines, clock=lambda: now[0])
    written_s, asked, told = [], 0, 0
    for wait, asks in steps:
        now[0] += wait / 1024
        if asks:
            asked += 1
            if limit.take():
                written_s.append(now[0])
        else:
            told += limit.held_back()
    now[0] += 1
    assert len(written_s) + told + limit.held_back() == asked
    for begun_s in written_s:
        assert sum(begun_s <= at_s < begun_s + 1 for at_s in written_s) <= 2 * lines
