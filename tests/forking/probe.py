"""Do what the words ask for, as a process that the tests of the fork server start.

state           print what the process finds around it, as JSON
echo            copy standard input to standard output
exit CODE       end with an exit code; `exit TEXT` as Python does it
fail            end with an error
import MODULE   print the file of a module
wait            print a line, and wait for a signal
start WORD ...  start this program with the words as a child, as the project starts processes
"""

from __future__ import annotations

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

from semcom.children import start_command


def say(text: object) -> None:
    """Write a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def is_inherited(descriptor: int) -> bool:
    """Return whether a descriptor is open here, and in what this process starts."""
    try:
        return os.get_inheritable(descriptor)
    except OSError:
        return False


def state() -> dict[str, object]:
    """Return what this process finds."""
    return {
        "words": sys.argv[1:],
        "program": os.path.realpath(sys.argv[0]),
        "command": sys.orig_argv[1:],
        "name": __name__,
        "first on the path": sys.path[0],
        "folder": os.getcwd(),  # noqa: PTH109
        "environment": {name: os.environ[name] for name in sorted(os.environ)},
        "parent": os.getppid(),
        "leads a session": os.getsid(0) == os.getpid(),
        "SIGINT": signal.getsignal(signal.SIGINT) is signal.default_int_handler,
        "SIGTERM": signal.getsignal(signal.SIGTERM) is signal.SIG_DFL,
        "SIGPIPE": signal.getsignal(signal.SIGPIPE) is signal.SIG_IGN,
        "threads": threading.active_count(),
        "terminals": [stream.isatty() for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "encodings": [stream.encoding for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "errors": [stream.errors for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "lines": [stream.line_buffering for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "seekable": [stream.seekable() for stream in (sys.stdin, sys.stdout, sys.stderr)],
        "written through": [stream.write_through for stream in (sys.stdout, sys.stderr)],
        "descriptors": [number for number in range(99) if is_inherited(number)],
        "forked": "tests.forking.client" in sys.modules,
    }


def main(what: str, *words: str) -> object:
    """Do it; returns what `sys.exit` takes."""
    match what:
        case "state":
            say(json.dumps(state()))
        case "echo":
            shutil.copyfileobj(sys.stdin.buffer, sys.stdout.buffer)
            sys.stderr.write("over\n")
        case "exit":
            return int(words[0]) if words[0].isdigit() else words[0]
        case "fail":
            raise RuntimeError("as asked")
        case "import":
            say(importlib.import_module(words[0]).__file__)
        case "wait":
            say("waiting")
            time.sleep(600)
        case "start":
            command = [sys.executable, "-P", __file__, *words]
            with start_command(command, stdin=subprocess.PIPE) as child:
                say(f"{os.getpid()} {child.pid}")
                child.communicate()  # what it prints goes where this process prints
            return child.returncode
        case _:
            raise AssertionError(what)
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))  # type: ignore[arg-type]
