"""Makes and changes a folder of keys; `semcom/keys.py` says what lies in it and reads it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import yaml
from pydantic import TypeAdapter, ValidationError

from semcom.errors import ConfigurationError, StorageError
from semcom.files import write_atomically
from semcom.keys import AUTHORIZED, REVOKED, SECRET, KeyFolder, SecretKey
from semcom.messages import Name, Role
from semcom.sockets import curve_keypair
from semcom.speakers import Speaker

SERVERS = (Speaker("orchestrator", "orchestrator"), Speaker("channel", "channel"))


def parse_peer(text: str) -> Speaker:
    """`NAME` is the transmitter of a link, `receiver:NAME` a receiver.

    Raises:
        ConfigurationError: neither.
    """
    role, colon, name = text.partition(":")
    if not colon:
        role, name = "transmitter", text
    try:
        return Speaker(
            TypeAdapter[Role](Role).validate_python(role),
            TypeAdapter[str](Name).validate_python(name),
        )
    except ValidationError as error:
        roles = ", ".join(get_args(Role))
        raise ConfigurationError(
            f"--peer {text!r}: give a link's NAME, or ROLE:NAME with a role of {roles}"
        ) from error


def make_keys(folder: Path, peers: Sequence[Speaker]) -> list[Speaker]:
    """Make the keys that are missing, of the servers and of `peers`; never touch one that is there.

    Returns those that were made.

    Raises:
        ConfigurationError: a name is another peer's, or its key is there and not authorised.
        StorageError: the disk refuses.
    """
    wanted = list(dict.fromkeys([*SERVERS, *peers]))
    try:
        for path in (folder, *(folder / each for each in (SECRET, AUTHORIZED, REVOKED))):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        missing = [peer for peer in wanted if not _is_there(folder, peer)]
        if len({peer.name for peer in wanted}) != len(wanted):
            raise ConfigurationError("two peers cannot have one name")
        for peer in missing:
            _make(folder, peer)
    except OSError as error:
        raise StorageError(f"cannot write keys to {folder}: {error.strerror}") from error
    return missing


def revoke(folder: Path, name: str) -> None:
    """Refuse a peer's key from now on; connections that it has stay until they end.

    Raises:
        ConfigurationError: no such peer.
        StorageError: the disk refuses.
    """
    path = folder / AUTHORIZED / f"{name}.yaml"
    if not path.exists():
        known = ", ".join(key.name for key in KeyFolder(folder).listed(AUTHORIZED)) or "none"
        raise ConfigurationError(f"no peer {name!r} is authorised in {folder}; there are: {known}")
    try:
        path.replace(folder / REVOKED / path.name)
    except OSError as error:
        raise StorageError(f"cannot revoke {name}: {error.strerror}") from error


def hand_out(folder: Path, target: Path, peers: Sequence[Speaker]) -> None:
    """Write what the host of `peers` needs to `target`: their secrets, and all public files.

    Public files that are gone from `folder` go there too; no other secret ever lies in `target`.

    Raises:
        ConfigurationError: nobody is named, or `target` is the folder itself.
        StorageError: the disk refuses.
    """
    if not peers:
        raise ConfigurationError("--hand-out needs --peer: whose keys?")
    if target.resolve() == folder.resolve():
        raise ConfigurationError(f"{folder} is the whole set; hand out to another folder")
    secrets = {f"{peer.name}.yaml" for peer in peers}
    try:
        for which in (SECRET, AUTHORIZED, REVOKED):
            (target / which).mkdir(mode=0o700, parents=True, exist_ok=True)
            there = {path.name: path for path in (folder / which).glob("*.yaml")}
            if which == SECRET:
                there = {name: path for name, path in there.items() if name in secrets}
            for path in (target / which).glob("*.yaml"):
                if path.name not in there:
                    path.unlink()
            for name, path in there.items():
                _copy(path, target / which / name)
    except OSError as error:
        raise StorageError(f"cannot hand out keys to {target}: {error.strerror}") from error


def _copy(source: Path, target: Path) -> None:
    """Bring a key file up to date; one that is the same stays, and so does who holds it."""
    content = source.read_bytes()
    if not target.exists() or target.read_bytes() != content:
        write_atomically(target, content)
        target.chmod(0o600)


def _is_there(folder: Path, peer: Speaker) -> bool:
    """Whether a peer has its key already.

    Raises:
        ConfigurationError: it has one that must not be used, or replaced without being asked.
    """
    secret, authorized = (folder / each / f"{peer.name}.yaml" for each in (SECRET, AUTHORIZED))
    if (folder / REVOKED / f"{peer.name}.yaml").exists():
        raise ConfigurationError(
            f"the key of {peer} was revoked; for a new one remove {secret} and "
            f"{folder / REVOKED / secret.name}"
        )
    known = KeyFolder(folder).speaker(peer.name)
    if authorized.exists() and known != peer:
        raise ConfigurationError(f"{authorized} is there and is not the key of {peer}")
    if secret.exists() and known is None:
        raise ConfigurationError(
            f"{secret} is there, {authorized} is not: put that back, or remove both for a new key"
        )
    return known == peer


def _make(folder: Path, peer: Speaker) -> None:
    public, secret = curve_keypair()
    key = SecretKey(name=peer.name, role=peer.role, public_key=public, secret_key=secret)
    content = key.model_dump(mode="json")
    _write_new(folder / SECRET / f"{peer.name}.yaml", content)
    del content["secret_key"]
    _write_new(folder / AUTHORIZED / f"{peer.name}.yaml", content)


def _write_new(path: Path, content: dict[str, str]) -> None:
    """Write a file that only its owner may read; one that is there is an error."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        yaml.safe_dump(content, file, sort_keys=False)
