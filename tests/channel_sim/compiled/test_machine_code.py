"""Machine code of the kernels: kept in a file, trusted only where it is whole and of this user."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from channel_sim import noise
from channel_sim.compiled import machine_code
from channel_sim.compiled.__main__ import main
from channel_sim.compiled.engine import CompiledEngine
from channel_sim.compiled.machine_code import Code, load_program
from channel_sim.noise import Items
from channel_sim.noise_engine import load_engine
from semcom.errors import ConfigurationError

KERNELS = "channel_sim.compiled.kernels"
PART = [Items((1, 2), 5, 3)]


@pytest.fixture
def kept(tmp_path, monkeypatch) -> Path:
    """The folder that code is kept in; what compiles takes it from where it lies already."""
    load_engine("numba")
    code = machine_code.kept_code()
    assert code is not None
    monkeypatch.setattr(machine_code, "_folders", lambda: iter([tmp_path / "cache"]))
    monkeypatch.setattr(machine_code, "compile_kernels", lambda: compiled.append(1) or code)
    compiled.clear()
    return tmp_path / "cache"


compiled: list[int] = []


def draws_as_numpy() -> bool:
    engine = CompiledEngine(load_program())
    drawn = engine.normals(PART, per_item=9)
    return drawn.tobytes() == noise.complex_normals_of(PART, per_item=9).tobytes()


def test_code_is_compiled_once_and_kept(kept):
    assert draws_as_numpy()
    assert draws_as_numpy()
    assert compiled == [1]
    [file] = kept.iterdir()
    assert file.stat().st_mode & 0o022 == 0


def test_process_that_compiles_keeps_the_code(kept):
    load_engine.cache_clear()
    assert machine_code.kept_code() is None
    assert main() == 0
    assert machine_code.kept_code() is not None
    assert compiled == [1]


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied", "no header"])
def test_damaged_code_is_compiled_again(kept, damage):
    load_program()
    [file] = kept.iterdir()
    content = file.read_bytes()
    file.write_bytes(
        {
            "cut": content[:-100],
            "changed": content[:-50] + bytes([content[-50] ^ 1]) + content[-49:],
            "emptied": b"",
            "no header": content.partition(b"\n")[2],
        }[damage]
    )
    assert draws_as_numpy()
    assert compiled == [1, 1]
    assert file.read_bytes() == content


def test_code_that_another_user_could_have_written_is_compiled_again(kept):
    load_program()
    [file] = kept.iterdir()
    file.chmod(0o666)
    assert draws_as_numpy()
    assert compiled == [1, 1]


def test_without_a_folder_to_keep_it_code_is_compiled_for_this_process(tmp_path, kept, monkeypatch):
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setattr(machine_code, "_folders", lambda: iter([tmp_path / "file" / "cache"]))
    assert draws_as_numpy()
    assert compiled == [1]


def test_user_without_a_home_has_one_folder(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("no home")))
    assert [folder.name for folder in machine_code._folders()] == ["__pycache__"]


def test_code_that_needs_a_library_is_refused(monkeypatch):
    text = "declare double @expm1(double)\ndefine double @f(double %x) {\n"
    text += "  %y = call double @expm1(double %x)\n  ret double %y\n}\n"
    module = SimpleNamespace(compiled=lambda: {"f": ("f", text)})
    monkeypatch.setitem(sys.modules, KERNELS, module)
    with pytest.raises(ConfigurationError, match="calls of expm1; set noise_engine: numpy"):
        machine_code.compile_kernels()


def test_kept_code_is_loaded_without_numba():
    load_engine("numba")
    code = (
        "import json, sys; from channel_sim.noise_engine import load_engine; load_engine('numba');"
        "print(json.dumps([name for name in sys.modules if name.partition('.')[0] == 'numba']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert json.loads(done.stdout) == []


def test_file_of_code_reads_back():
    code = Code({"normals": "cfunc.normals"}, bytes(np.arange(200, dtype=np.uint8)))
    assert Code.read(code.file) == code
