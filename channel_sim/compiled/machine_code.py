"""Machine code of the kernels: compiled once by numba, kept in a file, loaded by llvmlite alone.

The file lies beside this one, as bytecode does, or else in the user's cache. Its name states what
it depends on: the sources, this processor, llvmlite. One that is damaged, or that another user
could have written, is compiled again.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import logging
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

import llvmlite
import llvmlite.binding as llvm

from semcom.errors import ConfigurationError
from semcom.files import write_atomically
from semcom.telemetry import event

Kernel = Callable[[bytes], None]
HERE = Path(__file__).parent
SOURCES = (HERE / "kernels.py", HERE / "loops.py", HERE / "layout.py", HERE.parent / "noise.py")
FORMAT = 1
logger = logging.getLogger("channel_sim.compiled")


class Code(NamedTuple):
    """Machine code, and the names of the kernels in it."""

    names: Mapping[str, str]
    object_: bytes

    @property
    def file(self) -> bytes:
        """Return it as it is kept: a line of JSON, then the code."""
        digest = hashlib.sha256(self.object_).hexdigest()
        header = {"format": FORMAT, "names": dict(self.names), "sha256": digest}
        return json.dumps(header).encode() + b"\n" + self.object_

    @classmethod
    def read(cls, content: bytes) -> Code | None:
        """Return the code of a file; None where it is damaged."""
        line, _, object_ = content.partition(b"\n")
        try:
            header = json.loads(line)
            whole = header["sha256"] == hashlib.sha256(object_).hexdigest()
            return cls(header["names"], object_) if whole else None
        except (ValueError, TypeError, KeyError):
            return None


class Program:
    """The kernels in the memory of this process."""

    def __init__(self, code: Code) -> None:
        """Load machine code."""
        self._machine = _machine()  # what holds the code must stay
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), self._machine)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code.object_))
        self._engine.finalize_object()
        prototype = ctypes.CFUNCTYPE(None, ctypes.c_char_p)
        self._kernels = {
            kernel: prototype(self._engine.get_function_address(name))
            for kernel, name in code.names.items()
        }

    def kernel(self, name: str) -> Kernel:
        """Return a kernel, to be called with the fields of a call and its records."""
        return self._kernels[name]


def load_program() -> Program:
    """Load the kernels; the first time on a machine they are compiled, which takes seconds.

    Raises:
        ImportError: they are not compiled yet, and numba is not installed.
        ConfigurationError: they cannot be compiled for this machine.
    """
    code = kept_code()
    if code is None:
        code = compile_kernels()
        _keep(code)
    return Program(code)


def kept_code() -> Code | None:
    """Return the machine code that an earlier process compiled; None if there is none."""
    for path in _files():
        code = _kept(path)
        if code is not None:
            return code
    return None


def _keep(code: Code) -> None:
    for path in _files():
        with suppress(OSError):  # nowhere to keep it, or no room
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(path, code.file)
            return


def compile_kernels() -> Code:
    """Compile the kernels for this processor.

    Raises:
        ImportError: numba is not installed.
        ConfigurationError: the code would need a library that is not loaded.
    """
    event(logger, "compiling the channel's kernels")
    from channel_sim.compiled.kernels import compiled  # and with it numba, which takes long

    found = compiled()
    modules = [llvm.parse_assembly(text) for _, text in found.values()]
    whole = modules[0]
    for module in modules[1:]:
        whole.link_in(module)
    missing = [
        each.name
        for each in whole.functions
        if each.is_declaration and not each.name.startswith("llvm.")
    ]
    if missing:
        raise ConfigurationError(
            f"noise_engine numba: this release compiles calls of {', '.join(missing)}; "
            "set noise_engine: numpy"
        )
    return Code(
        {kernel: name for kernel, (name, _) in found.items()}, _machine().emit_object(whole)
    )


def _machine() -> llvm.TargetMachine:
    """Return this machine as LLVM has it."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(), features=_features(), opt=3, jit=True
    )


def _features() -> str:
    try:
        return str(llvm.get_host_cpu_features().flatten())
    except RuntimeError:  # this LLVM cannot list those of this processor
        return ""


def _digest() -> str:
    """Return a digest of all that the code depends on."""
    state = hashlib.sha256(f"{FORMAT} {llvmlite.__version__} ".encode())
    state.update(f"{llvm.get_host_cpu_name()} {_features()} {llvm.get_process_triple()}".encode())
    for source in SOURCES:
        state.update(source.read_bytes())
    return state.hexdigest()[:20]


def _files() -> Iterator[Path]:
    """Yield the files that may hold the code, the best place first."""
    name = f"kernels-{_digest()}.bin"
    return (folder / name for folder in _folders())


def _folders() -> Iterator[Path]:
    yield HERE / "__pycache__"
    cache = os.environ.get("XDG_CACHE_HOME") or ""
    with suppress(RuntimeError):  # a user without a home
        yield (Path(cache) if cache.startswith("/") else Path.home() / ".cache") / "rkd-sc"


def _kept(path: Path) -> Code | None:
    """Return the code in a file; None where there is none, or none to be trusted."""
    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            others = status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            if others or status.st_uid not in (0, os.getuid()):
                return None
            return Code.read(file.read())
    except OSError:
        return None
