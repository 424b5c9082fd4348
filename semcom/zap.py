"""ZAP 1.0 (ZeroMQ RFC 27) as a pure function: a request of libzmq, and the response."""

from __future__ import annotations

from collections.abc import Sequence

from semcom.keys import KeyList, Verdict
from semcom.z85 import z85

ENDPOINT = "inproc://zeromq.zap.01"  # endpoint of libzmq's requests
DOMAIN = b"semcom"
VERSION = b"1.0"
PARTS = 7  # version, request, domain, address, routing id, mechanism, the client's public key
KEY_BYTES = 32


def answer(parts: Sequence[bytes], keys: KeyList) -> tuple[list[bytes], Verdict]:
    """Return the parts of the response, and the verdict.

    Only CURVE, only our domain, only keys in the folder: everything else gets status 400. The user
    id is `role/name` of the key's owner.
    """
    verdict = _judge(parts, keys)
    request = parts[1] if len(parts) > 1 else b""
    if verdict.speaker is None:
        return [VERSION, request, b"400", verdict.reason.encode(), b"", b""], verdict
    user = f"{verdict.speaker.role}/{verdict.speaker.name}".encode()
    return [VERSION, request, b"200", b"OK", user, b""], verdict


def _judge(parts: Sequence[bytes], keys: KeyList) -> Verdict:
    if len(parts) < 6 or parts[0] != VERSION or parts[2] != DOMAIN:
        return Verdict(None, "malformed", "not a request for this authenticator")
    address = parts[3].decode(errors="replace")
    if parts[5] != b"CURVE":
        return Verdict(None, "no_key", f"no key, from {address}")
    if len(parts) != PARTS or len(parts[6]) != KEY_BYTES:
        return Verdict(None, "malformed", f"malformed key, from {address}")
    found = keys.judge(z85(parts[6]))
    return Verdict(found.speaker, found.reason, f"{found.detail}, from {address}")
