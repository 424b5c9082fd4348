"""Key files: their content, and how to read one without ever revealing it.

An error in a key file names the file, the field and what is expected there. It never quotes the
file, because a malformed line may contain a secret key, nor does it chain an error that does, so no
traceback shows one either.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, ConfigDict, SecretStr, ValidationError

from semcom.errors import AuthenticationError, ConfigurationError
from semcom.files import read_file
from semcom.messages import Role
from semcom.names import Name
from semcom.settings import Settings, parse_yaml
from semcom.speakers import Speaker
from semcom.z85 import is_key

MAX_KEY_FILE_BYTES = 4096
KEY_IN_WORDS = "a key of 40 characters (Z85)"
EXPECTED = {
    "name": "a name, that of the file",
    "role": "transmitter, channel, receiver or orchestrator",
    "public_key": KEY_IN_WORDS,
    "secret_key": KEY_IN_WORDS,
}


def _check_public(text: str) -> str:
    if not is_key(text):
        raise ValueError(KEY_IN_WORDS)
    return text


def _check_secret(text: SecretStr) -> SecretStr:
    _check_public(text.get_secret_value())
    return text


class PublicKey(Settings):
    """A file of `authorized/` or `revoked/`."""

    model_config = ConfigDict(hide_input_in_errors=True)

    name: Name
    role: Role
    public_key: Annotated[str, AfterValidator(_check_public)]

    @property
    def speaker(self) -> Speaker:
        """The peer to which the key belongs."""
        return Speaker(self.role, self.name)


class SecretKey(PublicKey):
    """A file of `secret/`. No repr, message, log or dump shows the secret."""

    secret_key: Annotated[SecretStr, AfterValidator(_check_secret)]


KeyT = TypeVar("KeyT", bound=PublicKey)


def read_key_file(
    model: type[KeyT], path: Path, *, missing: str = "no such key file: {path}"
) -> KeyT:
    """Read a key file; its owner, permissions and content are checked.

    Args:
        model: which kind of file.
        path: the file.
        missing: the message if there is none; `{path}` stands for the file.

    Raises:
        ConfigurationError: it is missing, not readable, or not such a file.
        AuthenticationError: others may change it, or read it although it holds a secret.
    """
    secret = issubclass(model, SecretKey)

    def check(state: os.stat_result) -> None:
        check_file(state, path, secret=secret)

    try:
        content = read_file(path, max_bytes=MAX_KEY_FILE_BYTES, check=check)
    except FileNotFoundError as error:
        raise ConfigurationError(missing.replace("{path}", str(path))) from error
    except OSError as error:
        raise ConfigurationError(f"cannot read key file {path}: {error.strerror}") from error
    return _parsed(model, content, path)


def check_file(state: os.stat_result, path: Path, *, secret: bool) -> None:
    """Check that only its owner can change a key file, and read one that holds a secret.

    A secret that belongs to root may be readable by its group: container engines hand it to
    processes of other users in this way.

    Raises:
        AuthenticationError: others can; the text says how to mend it.
    """
    what = f"secret key file {path}" if secret else f"key file {path}"
    _check_owner(state, what)
    forbidden = stat.S_IWGRP | stat.S_IWOTH
    if secret:
        forbidden |= stat.S_IROTH
        forbidden |= stat.S_IRGRP if state.st_uid == os.geteuid() else 0
    if state.st_mode & forbidden:
        raise AuthenticationError(
            f"{what} has mode {stat.S_IMODE(state.st_mode):04o}: others can "
            f"{'read or change' if secret else 'change'} it; if you trust its content, "
            "chmod 600 it, "
            "otherwise revoke it and make a new one"
        )


def check_folder(path: Path) -> None:
    """Check that only its owner can add or replace files of a folder of keys.

    Raises:
        AuthenticationError: others can; the text says how to mend it.
    """
    try:
        state = path.stat()
    except OSError:  # missing files are reported where they are needed
        return
    what = f"folder of keys {path}"
    _check_owner(state, what)
    if state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise AuthenticationError(
            f"{what} has mode {stat.S_IMODE(state.st_mode):04o}: others can put keys there; "
            "if you trust its keys, chmod 700 it, otherwise make new keys in another folder"
        )


def _check_owner(state: os.stat_result, what: str) -> None:
    """Check the owner, who can change the file: this user or root; for root, any user."""
    user = os.geteuid()
    if user not in (0, state.st_uid) and state.st_uid != 0:
        raise AuthenticationError(
            f"{what} belongs to user {state.st_uid}, who can change it; "
            f"this process runs as user {user}"
        )


def _parsed(model: type[KeyT], content: bytes, path: Path) -> KeyT:
    """Parse a key file; errors of libraries quote its content, so none is passed on."""
    wrong = f"must be a map with {', '.join(model.model_fields)}"
    try:
        fields: Any = parse_yaml(content.decode(), where="key file")
        if isinstance(fields, dict) and set(fields) <= set(model.model_fields):
            return model.model_validate(fields)
    except UnicodeDecodeError:
        wrong = "is not UTF-8"
    except ValidationError as error:
        field = str(error.errors(include_input=False, include_context=False)[0]["loc"][0])
        wrong = f"{field} must be {EXPECTED[field]}"
    except (ConfigurationError, ValueError):
        wrong = "is not YAML"
    raise ConfigurationError(f"key file {path}: {wrong}")
