"""A folder of CURVE keys: the identity of this process, and the peers that it accepts (no sockets).

    DIR/secret/NAME.yaml        name, role, public_key, secret_key; stays on the peer's own host
    DIR/authorized/NAME.yaml    name, role, public_key; accepted peers, public keys of servers
    DIR/revoked/NAME.yaml       the same file, moved here: its key and its name are refused

`semcom keys` creates and changes it. Keys are text: Z85, 40 characters for 32 bytes.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from semcom.errors import AuthenticationError, ConfigurationError
from semcom.key_files import PublicKey, SecretKey, check_folder, read_key_file
from semcom.messages import Role
from semcom.plain_text import command
from semcom.speakers import Speaker

SECRET, AUTHORIZED, REVOKED = "secret", "authorized", "revoked"

# Reasons for which a peer or its message is refused.
SecurityReason = Literal[
    "unknown_key", "revoked_key", "no_key", "wrong_server_key", "dead_authenticator", "wrong_peer",
    "malformed", "broken_off",
]  # fmt: skip
logger = logging.getLogger("semcom.keys")


@dataclass(frozen=True)
class Verdict:
    """The result of judging a key: a speaker, or the reason why it belongs to no peer."""

    speaker: Speaker | None
    reason: SecurityReason
    detail: str


@dataclass(frozen=True)
class KeyList:
    """The keys of a folder at one moment."""

    authorized: Mapping[str, Sequence[PublicKey]]  # by public key
    revoked: Mapping[str, PublicKey]
    unread: Collection[str]  # names whose file of `revoked/` cannot be read: it revokes them

    def judge(self, public_key: str) -> Verdict:
        """Judge a key. Revocation takes precedence; a shared key belongs to no peer."""
        revoked = self.revoked.get(public_key)
        if revoked is not None:
            return Verdict(None, "revoked_key", f"revoked key {public_key} of {revoked.speaker}")
        holders = self.authorized.get(public_key, ())
        for key in holders:
            if key.name in self.unread:
                detail = f"key {public_key} of {key.speaker}, whose revocation cannot be read"
                return Verdict(None, "revoked_key", detail)
        if len(holders) != 1:
            several = f", which {len(holders)} files list" if holders else ""
            return Verdict(None, "unknown_key", f"unknown key {public_key}{several}")
        return Verdict(holders[0].speaker, "unknown_key", "")


class KeyFolder:
    """Reads a folder of keys for each request, so changes take effect at once."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._read: dict[Path, tuple[tuple[int, ...], PublicKey | None]] = {}

    def own(self, role: Role, name: str) -> SecretKey:
        """Return the key of a process.

        Raises:
            ConfigurationError: there is none, or it cannot be read.
            AuthenticationError: it belongs to another peer, or others could have changed the keys.
        """
        path = self.path / SECRET / f"{name}.yaml"
        self.check_permissions()
        make = command("semcom", "keys", self.path, "--peer", f"{role}:{name}")
        missing = f"{role} {name} has no key: {{path}} is missing; make it with: {make}"
        key = read_key_file(SecretKey, path, missing=missing)
        if key.speaker != Speaker(role, name):
            raise AuthenticationError(f"{path} is the key of {key.speaker}, not of {role} {name}")
        return key

    def server(self, role: Role) -> PublicKey:
        """Return the public key of the channel or the orchestrator, whose name is its role.

        Raises:
            ConfigurationError: there is none, or it cannot be read.
            AuthenticationError: others could have changed it.
        """
        path = self.path / AUTHORIZED / f"{role}.yaml"
        return read_key_file(
            PublicKey, path, missing=f"the key of the {role} is not known: no {{path}}"
        )

    def check_permissions(self) -> None:
        """Check that only the owner of the keys can add or replace any.

        Raises:
            AuthenticationError: others can.
        """
        for folder in (self.path, *(self.path / each for each in (SECRET, AUTHORIZED, REVOKED))):
            check_folder(folder)

    def listed(self, which: str) -> list[PublicKey]:
        """Return all readable keys in `authorized/` or `revoked/`."""
        return [key for key in map(self._public_key, self._paths(which)) if key is not None]

    def judge(self, public_key: str) -> Verdict:
        """Judge a key by the current content of the folder."""
        return self.read().judge(public_key)

    def read(self) -> KeyList:
        """Return the current content of the folder, shared by simultaneous requests.

        Raises:
            OSError: it cannot be read.
        """
        revoked = {path: self._public_key(path) for path in self._paths(REVOKED)}
        authorized: dict[str, list[PublicKey]] = {}
        for key in self.listed(AUTHORIZED):
            authorized.setdefault(key.public_key, []).append(key)
        return KeyList(
            authorized,
            {key.public_key: key for key in revoked.values() if key is not None},
            {path.stem for path, key in revoked.items() if key is None},
        )

    def speaker(self, name: str) -> Speaker | None:
        """Return the peer that is authorised under a name."""
        found = [key for key in self.listed(AUTHORIZED) if key.name == name]
        return found[0].speaker if found else None

    def _paths(self, which: str) -> list[Path]:
        return sorted((self.path / which).glob("*.yaml"))

    def _public_key(self, path: Path) -> PublicKey | None:
        try:
            state = path.stat()
        except OSError:  # removed meanwhile
            return None
        version = (state.st_mtime_ns, state.st_ctime_ns, state.st_size)
        known = self._read.get(path)
        if known is None or known[0] != version:
            known = self._read[path] = (version, _read_public_key(path))
        return known[1]


def _read_public_key(path: Path) -> PublicKey | None:
    try:
        key = read_key_file(PublicKey, path)
    except (ConfigurationError, AuthenticationError) as error:
        logger.error("key file ignored: %s", error)
        return None
    if key.name != path.stem:
        logger.error("key file ignored: %s is named %s", path, key.name)
        return None
    return key
