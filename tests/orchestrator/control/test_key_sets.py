"""Key folders: private, never overwritten, added to, revoked from."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.control.key_sets import hand_out, make_keys, parse_peer, revoke
from semcom.errors import AuthenticationError, ConfigurationError, StorageError
from semcom.keys import KeyFolder
from semcom.names import check_name, is_name
from semcom.speakers import Speaker
from tests.properties import examples

LINK = Speaker("transmitter", "shapes10")


def contents(folder: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in folder.rglob("*.yaml")}


def test_folders_and_files_are_their_owners_alone(tmp_path: Path) -> None:
    make_keys(tmp_path / "keys", [LINK])
    found = [tmp_path / "keys", *(tmp_path / "keys").rglob("*")]
    assert len(found) == 1 + 3 + 2 * 3
    for path in found:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)


def test_secret_and_public_file_hold_one_key(tmp_path: Path) -> None:
    make_keys(tmp_path, [LINK])
    keys = KeyFolder(tmp_path)
    own = keys.own("transmitter", "shapes10")
    assert keys.judge(own.public_key).speaker == LINK
    assert (
        own.secret_key.get_secret_value()
        not in (tmp_path / "authorized" / "shapes10.yaml").read_text()
    )
    assert keys.own("channel", "channel").public_key == keys.server("channel").public_key


def test_second_call_adds_what_is_missing_and_changes_nothing(tmp_path: Path) -> None:
    make_keys(tmp_path, [])
    before = contents(tmp_path)
    assert make_keys(tmp_path, [LINK]) == [LINK]
    assert make_keys(tmp_path, [LINK]) == []
    after = contents(tmp_path)
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 2


def test_revoked_peer_gets_no_new_key_by_the_way(tmp_path: Path) -> None:
    make_keys(tmp_path, [LINK])
    own = KeyFolder(tmp_path).own("transmitter", "shapes10")
    revoke(tmp_path, "shapes10")
    assert KeyFolder(tmp_path).judge(own.public_key).reason == "revoked_key"
    with pytest.raises(ConfigurationError, match="revoked"):
        make_keys(tmp_path, [LINK])


def test_key_whose_other_half_is_gone_is_not_overwritten(tmp_path: Path) -> None:
    make_keys(tmp_path, [LINK])
    (tmp_path / "authorized" / "shapes10.yaml").unlink()
    before = contents(tmp_path)
    with pytest.raises(ConfigurationError, match="does not: restore that file"):
        make_keys(tmp_path, [LINK, Speaker("transmitter", "other")])
    assert contents(tmp_path) == before


def test_name_of_another_role_is_refused(tmp_path: Path) -> None:
    make_keys(tmp_path, [LINK])
    before = contents(tmp_path)
    for peer in (Speaker("receiver", "shapes10"), Speaker("transmitter", "channel")):
        with pytest.raises(ConfigurationError):
            make_keys(tmp_path, [peer])
    with pytest.raises(ConfigurationError, match="same name"):
        make_keys(tmp_path, [Speaker("receiver", "x"), Speaker("transmitter", "x")])
    assert contents(tmp_path) == before


def test_unknown_name_cannot_be_revoked(tmp_path: Path) -> None:
    make_keys(tmp_path, [])
    with pytest.raises(ConfigurationError, match="channel, orchestrator"):
        revoke(tmp_path, "shapes10")


@pytest.mark.parametrize(
    "name",
    ["../secret/shapes10", "../../x", "/etc/x", ".", "..", "", "a/b", "A", "x\n", "*", "x\0"],
)
def test_revoke_takes_a_name_and_no_path(tmp_path: Path, name: str) -> None:
    make_keys(tmp_path, [LINK])
    before = contents(tmp_path)
    with pytest.raises(ConfigurationError, match="must match"):
        revoke(tmp_path, name)
    assert contents(tmp_path) == before


@examples(60)
@given(name=st.text(max_size=12) | st.text("./\\a-_0", max_size=8))
def test_any_text_is_a_name_of_one_folder_or_none(name: str) -> None:
    parts = Path(name).parts
    if is_name(name):
        assert parts == (name,)
        assert check_name(name, what="--revoke") == name
    else:
        with pytest.raises(ConfigurationError) as caught:
            check_name(name, what="--revoke")
        assert "\n" not in str(caught.value)


def test_peers_are_named_by_link_or_role_and_name() -> None:
    assert parse_peer("shapes10") == LINK
    assert parse_peer("receiver:receiver-1") == Speaker("receiver", "receiver-1")
    for wrong in ("", "King", "king:x", "receiver:", "../x", "a:b:c", "receiver:../x", "a\n"):
        with pytest.raises(ConfigurationError, match="--peer"):
            parse_peer(wrong)


def test_host_is_handed_its_own_secret_and_all_public_keys(tmp_path: Path) -> None:
    folder, host = tmp_path / "all", tmp_path / "host"
    make_keys(folder, [LINK, Speaker("transmitter", "other")])
    hand_out(folder, host, [LINK])
    assert [path.name for path in (host / "secret").iterdir()] == ["shapes10.yaml"]
    assert KeyFolder(host).own("transmitter", "shapes10") == KeyFolder(folder).own(
        "transmitter", "shapes10"
    )
    assert len(KeyFolder(host).listed("authorized")) == 4
    for path in host.rglob("*.yaml"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_handing_out_again_brings_a_host_up_to_date(tmp_path: Path) -> None:
    folder, host = tmp_path / "all", tmp_path / "host"
    make_keys(folder, [LINK])
    hand_out(folder, host, [Speaker("channel", "channel")])
    before = (host / "secret" / "channel.yaml").stat().st_ino
    own = KeyFolder(folder).own("transmitter", "shapes10")
    revoke(folder, "shapes10")
    hand_out(folder, host, [Speaker("channel", "channel")])
    assert KeyFolder(host).judge(own.public_key).reason == "revoked_key"
    assert not (host / "authorized" / "shapes10.yaml").exists()
    assert (host / "secret" / "channel.yaml").stat().st_ino == before  # and its lock with it


def test_handing_out_removes_no_secret_that_is_nowhere_else(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    make_keys(ours, [LINK])
    make_keys(theirs, [LINK])
    before = contents(theirs)
    with pytest.raises(ConfigurationError, match="is a secret that is not in"):
        hand_out(ours, theirs, [LINK])
    assert contents(theirs / "secret") == contents(theirs / "secret")
    assert {path for path in before if "/secret/" in path} <= set(contents(theirs))


def test_former_secret_of_a_host_is_removed_where_the_set_has_it(tmp_path: Path) -> None:
    folder, host = tmp_path / "all", tmp_path / "host"
    make_keys(folder, [LINK])
    hand_out(folder, host, [LINK])
    hand_out(folder, host, [Speaker("channel", "channel")])
    assert [path.name for path in (host / "secret").iterdir()] == ["channel.yaml"]


def test_keys_are_made_in_no_folder_that_others_can_write(tmp_path: Path) -> None:
    tmp_path.chmod(0o770)
    with pytest.raises(AuthenticationError, match="mode 0770"):
        make_keys(tmp_path, [LINK])
    assert not list(tmp_path.rglob("*.yaml"))


@pytest.mark.timeout(10)
@pytest.mark.parametrize("which", ["secret", "authorized", "revoked"])
def test_fifo_in_the_set_is_not_waited_for(tmp_path: Path, which: str) -> None:
    folder = tmp_path / "all"
    make_keys(folder, [LINK])
    path = folder / which / "shapes10.yaml"
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    with pytest.raises((ConfigurationError, StorageError), match="shapes10"):
        hand_out(folder, tmp_path / "host", make_keys(folder, [LINK]) or [LINK])


def test_nothing_is_handed_out_to_nobody_or_into_the_set_itself(tmp_path: Path) -> None:
    make_keys(tmp_path, [LINK])
    before = contents(tmp_path)
    with pytest.raises(ConfigurationError, match="--peer"):
        hand_out(tmp_path, tmp_path / "host", [])
    for inside in (tmp_path, tmp_path / "secret", tmp_path / "x" / ".." / "host"):
        with pytest.raises(ConfigurationError, match="whole set"):
            hand_out(tmp_path, inside, [LINK])
    assert contents(tmp_path) == before
