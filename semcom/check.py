"""`python -m semcom.check [URL]`: is a process ready? An exit code, for container engines."""

from __future__ import annotations

import http.client
import sys
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

from semcom.plain_text import tell_error

READY = "http://127.0.0.1:9100/readyz"
TIMEOUT_S = 3.0


def check(url: str, *, timeout_s: float = TIMEOUT_S) -> str | None:
    """Return what is wrong with the process that serves a page; None if it answers 200."""
    if urlsplit(url).scheme != "http":
        return f"{url}: not an http address"
    try:
        # A proxy from the environment must not stand between a container and itself.
        with build_opener(ProxyHandler({})).open(url, timeout=timeout_s):
            return None
    except HTTPError as error:
        return f"{url}: {error.code} {error.read(80).decode(errors='replace').strip()}"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return f"{url}: {getattr(error, 'reason', error)}"


def main(arguments: list[str]) -> int:
    """Return 0 if the process is ready; otherwise print one line with the reason and return 1."""
    wrong = check(arguments[0] if arguments else READY)
    if wrong is not None:
        tell_error(wrong)
    return 0 if wrong is None else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
