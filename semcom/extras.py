"""The packages of each extra, and the message if one is missing.

A process imports its room inside `imports_for`, so a missing package ends it with one line and exit
code 2 before anything else happens. This needs only the standard library.
"""

from __future__ import annotations

import importlib.util
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from semcom.errors import INTERRUPTED, ConfigurationError

# As in pyproject.toml, by pip's names; a test compares them.
BASE = (
    "msgpack",
    "msgspec",
    "numpy",
    "prometheus-client",
    "pydantic",
    "pyyaml",
    "pyzmq",
    "zlib-ng",
)
ORCHESTRATOR = ("matplotlib", "pillow", "psutil", "rich", "safetensors", "typer")
EXTRAS: dict[str, tuple[str, ...]] = {
    "channel": (),
    "compiled": ("numba",),
    "transmitter": ("safetensors", "torch"),
    "receiver": ("safetensors", "torch"),
    "edge": ("onnx", "onnxruntime", "safetensors"),
    "orchestrator": ORCHESTRATOR,
    "training": (*ORCHESTRATOR, "tensorboard", "timm", "torch", "torchvision"),
    "sionna": ("sionna-no-rt",),
    "digital": ("pillow", "safetensors", "sionna-no-rt", "torch"),
    "ray": ("ray",),
    "sigmf": ("sigmf",),
    "similarity": ("tokenizers",),
}
APART = ("digital", "ray", "sigmf", "similarity", "sionna")  # extras that `all` does not include
# Needed by some trainings only; the importing code names it.
LATE = ("tensorboard", "timm", "torchvision")
IMPORTED_AS = {
    "pillow": "PIL",
    "prometheus-client": "prometheus_client",
    "zlib-ng": "zlib_ng",
    "pyyaml": "yaml",
    "pyzmq": "zmq",
    "sionna-no-rt": "sionna",
}
INSTALLED_AS = {module: package for package, module in IMPORTED_AS.items()}
KNOWN = {IMPORTED_AS.get(name, name) for names in (BASE, *EXTRAS.values()) for name in names}


def require(what: str, *extras: str) -> None:
    """Check that the packages of one or several extras are installed.

    Raises:
        ConfigurationError: they are not; the message says what is missing and what to install.
    """
    common = set[str].intersection(*(set(EXTRAS[extra]) for extra in extras)) if extras else set()
    wanted = [*BASE, *sorted(common - set(LATE))]
    missing = [name for name in wanted if not _is_installed(IMPORTED_AS.get(name, name))]
    if missing:
        raise ConfigurationError(f"{what} needs {', '.join(missing)}: {_install(extras)}")


@contextmanager
def needed_by(what: str, *extras: str, otherwise: str = "") -> Iterator[None]:
    """Import packages of an extra in this block; `otherwise` names an alternative to installing.

    Raises:
        ConfigurationError: one of them is not installed, or cannot be imported.
    """
    try:
        yield
    except ImportError as error:
        root = (error.name or "").partition(".")[0]
        if root and root not in KNOWN and _is_installed(root):
            raise  # a mistake of ours
        remedy = _install(extras) + (f", or {otherwise}" if otherwise else "")
        if root and isinstance(error, ModuleNotFoundError):
            text = f"{what} needs {INSTALLED_AS.get(root, root)}: {remedy}"
        else:  # it is installed, but broken or too old
            text = f"{what} cannot import what it needs ({' '.join(str(error).split())}): {remedy}"
        raise ConfigurationError(text) from error


@contextmanager
def imports_for(what: str, *extras: str, json_line: bool = False) -> Iterator[None]:
    """Import a process in this block; a missing package ends it with one line and exit code 2.

    Ctrl-C ends it with exit code 130.

    The line is a JSON log line if the process logs in JSON.
    """
    try:
        require(what, *extras)
        with needed_by(what, *extras):
            yield
    except ConfigurationError as error:
        line = _json_line(what, error) if json_line else f"error: {error}"
        sys.stderr.write(line + "\n")
        sys.exit(error.exit_code)
    except KeyboardInterrupt:  # before `semcom.stop_signals` answers
        sys.stderr.write("SIGINT: stopped\n")
        sys.exit(INTERRUPTED)


def _is_installed(module: str) -> bool:
    if sys.modules.get(module) is not None:
        return True
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _install(extras: tuple[str, ...]) -> str:
    named = [f"'rkd-sc[{extra}]'" for extra in extras] or ["rkd-sc"]
    return " or ".join(f"pip install {name}" for name in named)


def _json_line(what: str, error: ConfigurationError) -> str:
    """Format a line as `semcom.telemetry` does, which may be what cannot be imported."""
    return json.dumps(
        {
            "time": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "level": "error",
            "logger": f"semcom.{what}",
            "event": str(error),
            "exit_code": error.exit_code,
        }
    )
