"""Create and change a folder of keys; `semcom/keys.py` describes and reads it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

import yaml

from semcom.errors import ConfigurationError, StorageError
from semcom.files import read_file
from semcom.key_files import MAX_KEY_FILE_BYTES, PublicKey
from semcom.keys import AUTHORIZED, REVOKED, SECRET, KeyFolder
from semcom.messages import Role
from semcom.names import MAX_QUOTED, NAME_PATTERN, check_name, is_name
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
    roles: dict[str, Role] = {each: each for each in get_args(Role)}
    if role not in roles or not is_name(name):
        raise ConfigurationError(
            f"--peer {text[:MAX_QUOTED]!r}: give a link's NAME, or ROLE:NAME with a role of "
            f"{', '.join(roles)}; a name matches {NAME_PATTERN}"
        )
    return Speaker(roles[role], name)


def make_keys(folder: Path, peers: Sequence[Speaker]) -> list[Speaker]:
    """Generate missing keys of the servers and of `peers`; never change an existing one.

    Returns the new ones.

    Raises:
        ConfigurationError: a name belongs to another peer, or its key exists but is not authorised.
        AuthenticationError: others can add or replace keys in `folder`.
        StorageError: the disk cannot be written.
    """
    wanted = list(dict.fromkeys([*SERVERS, *peers]))
    try:
        for path in (folder, *(folder / each for each in (SECRET, AUTHORIZED, REVOKED))):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        KeyFolder(folder).check_permissions()
        missing = [peer for peer in wanted if not _is_there(folder, peer)]
        if len({peer.name for peer in wanted}) != len(wanted):
            raise ConfigurationError("two peers cannot have the same name")
        for peer in missing:
            _make(folder, peer)
    except OSError as error:
        raise StorageError(f"cannot write keys to {folder}: {error.strerror}") from error
    return missing


def revoke(folder: Path, name: str) -> None:
    """Refuse a peer's key from now on; existing connections stay open.

    Raises:
        ConfigurationError: there is no such peer, or the name is invalid.
        StorageError: the disk cannot be written.
    """
    check_name(name, what="--revoke")
    path = folder / AUTHORIZED / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(key.name for key in KeyFolder(folder).listed(AUTHORIZED)) or "none"
        raise ConfigurationError(f"no peer {name!r} is authorised in {folder}; available: {known}")
    try:
        path.replace(folder / REVOKED / path.name)
    except OSError as error:
        raise StorageError(f"cannot revoke {name}: {error.strerror}") from error


def hand_out(folder: Path, target: Path, peers: Sequence[Speaker]) -> None:
    """Write what the host of `peers` needs to `target`: their secrets and all public files.

    Public files that `folder` no longer has are removed from `target`, and so are other secrets
    that `folder` has, so that `target` never has any other secret. A secret that would be lost is
    kept.

    Raises:
        ConfigurationError: no peer is named, or `target` is the folder itself, is inside it, or has
            a secret that `folder` does not have.
        AuthenticationError: others can add or replace files in `target`.
        StorageError: the disk cannot be written.
    """
    if not peers:
        raise ConfigurationError("--hand-out needs --peer, which says whose keys to hand out")
    if target.resolve().is_relative_to(folder.resolve()):
        raise ConfigurationError(
            f"{folder} is the folder of the whole set; hand out to a folder outside of it"
        )
    secrets = {f"{peer.name}.yaml" for peer in peers}
    try:
        for which in (SECRET, AUTHORIZED, REVOKED):
            (target / which).mkdir(mode=0o700, parents=True, exist_ok=True)
        KeyFolder(target).check_permissions()
        for which in (SECRET, AUTHORIZED, REVOKED):
            there = {path.name: path for path in (folder / which).glob("*.yaml")}
            if which == SECRET:
                there = {name: path for name, path in there.items() if name in secrets}
            for path in (target / which).glob("*.yaml"):
                if path.name not in there:
                    _check_copy(path, folder / which / path.name)
                    path.unlink()
            for name, path in there.items():
                _copy(path, target / which / name)
    except OSError as error:
        raise StorageError(
            f"cannot hand out keys to {target}: {error.filename}: {error.strerror}"
        ) from error


def _copy(source: Path, target: Path) -> None:
    """Update a key file; an identical one is kept, and so is its lock."""
    content = _read(source)
    if not target.exists() or _read(target) != content:
        new = target.with_name(f".{target.name}")
        new.unlink(missing_ok=True)
        _write_new(new, content)
        new.replace(target)
    target.chmod(0o600)


def _check_copy(path: Path, original: Path) -> None:
    """Check that a secret is still in the whole set before it is removed from a host's folder."""
    if path.parent.name == SECRET and not (original.exists() and _read(original) == _read(path)):
        raise ConfigurationError(
            f"{path} is a secret that is not in {original.parent}: move it away, or hand out "
            "to another folder"
        )


def _read(path: Path) -> bytes:
    return read_file(path, max_bytes=MAX_KEY_FILE_BYTES)


def _is_there(folder: Path, peer: Speaker) -> bool:
    """Return whether a peer already has its key.

    Raises:
        ConfigurationError: it has a key that must be neither used nor replaced silently.
    """
    secret, authorized = (folder / each / f"{peer.name}.yaml" for each in (SECRET, AUTHORIZED))
    if (folder / REVOKED / f"{peer.name}.yaml").exists():
        raise ConfigurationError(
            f"the key of {peer} was revoked; for a new one remove {secret} and "
            f"{folder / REVOKED / secret.name}"
        )
    known = KeyFolder(folder).speaker(peer.name)
    if authorized.exists() and known != peer:
        raise ConfigurationError(f"{authorized} already exists and is not the key of {peer}")
    if secret.exists() and known is None:
        raise ConfigurationError(
            f"{secret} exists, but {authorized} does not: restore that file, or remove "
            f"{secret.name} for a new key"
        )
    return known == peer


def _make(folder: Path, peer: Speaker) -> None:
    public, secret = curve_keypair()
    key = PublicKey(name=peer.name, role=peer.role, public_key=public)
    content = key.model_dump(mode="json")
    for which, fields in ((SECRET, {**content, "secret_key": secret}), (AUTHORIZED, content)):
        text = yaml.safe_dump(fields, sort_keys=False)
        _write_new(folder / which / f"{peer.name}.yaml", text.encode())


def _write_new(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read; an existing file is an error."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
