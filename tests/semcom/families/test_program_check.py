"""What may be in a program of `torch.export`, and what is refused before torch reads it."""

from __future__ import annotations

import io
import json
import pickle
import zipfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from semcom.errors import CheckpointError
from semcom.families.program_check import check_program, empty_sample
from semcom.nn.programs import load_program, save_program
from tests.properties import examples

CPU = torch.device("cpu")
GRAPH = "models/model.json"
WEIGHTS = "data/weights/model_weights_config.json"


class Scaled(nn.Module):
    """Reals and an SNR: two inputs, arithmetic on sizes, a slice, a concatenation."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 6)

    def forward(self, reals: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        y = self.linear(reals)
        half = y.shape[1] // 2
        return torch.cat([y[:, :half] * snr_db[:, None], y[:, half:]], dim=1)


@pytest.fixture(scope="module")
def module() -> nn.Module:
    torch.manual_seed(0)
    return Scaled().eval()


@pytest.fixture(scope="module")
def program(module: nn.Module) -> bytes:
    return save_program(module, (torch.zeros(2, 8), torch.zeros(2)))


def edited(content: bytes, edit: Callable[[dict[str, bytes]], None]) -> bytes:
    """The archive after an edit of its files, by their names below the one folder."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        folder = archive.namelist()[0].partition("/")[0]
        files = {name.partition("/")[2]: archive.read(name) for name in archive.namelist()}
    edit(files)
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, data in files.items():
            archive.writestr(f"{folder}/{name}", data)
    return written.getvalue()


def in_json(name: str, edit: Callable[[Any], None]) -> Callable[[dict[str, bytes]], None]:
    def change(files: dict[str, bytes]) -> None:
        content = json.loads(files[name])
        edit(content)
        files[name] = json.dumps(content).encode()

    return change


def nodes(graph: Any) -> list[Any]:
    found: list[Any] = graph["graph_module"]["graph"]["nodes"]
    return found


def test_program_computes_what_the_module_computes_for_any_number_of_items(module, program):
    loaded = load_program(program, CPU)
    for items in (1, 2, 3, 100):
        reals, snr_db = torch.randn(items, 8), torch.randn(items)
        assert torch.equal(loaded(reals, snr_db), module(reals, snr_db))


def test_same_module_gives_the_same_bytes_without_a_trace_of_this_machine(module, program):
    assert save_program(module, (torch.zeros(2, 8), torch.zeros(2))) == program
    with zipfile.ZipFile(io.BytesIO(program)) as archive:
        text = b"".join(archive.read(name) for name in archive.namelist() if name.endswith("json"))
    for trace in (b"site-packages", b".py", b"Scaled", b"stack_trace", b"/"):
        assert trace not in text


def with_metadata(graph: Any) -> None:
    nodes(graph)[0]["metadata"] = {"source_fn_stack": "x,os.system"}


def with_guard(graph: Any) -> None:
    graph["guards_code"] = ["__import__('os').system('true')"]


def with_size_text(graph: Any) -> None:
    graph["graph_module"]["graph"]["sym_int_values"]["evil"] = {
        "as_expr": {"expr_str": "exec(chr(112))", "hint": None}
    }


def with_name(graph: Any) -> None:
    graph["graph_module"]["graph"]["nodes"][0]["inputs"][0]["name"] = "x); import os; (y"


@pytest.mark.parametrize(
    "target",
    [
        "torch.hub.load", "torch.load", "torch.serialization.os.system", "_operator.call",
        "math.__loader__", "torch.ops.aten.add.Tensor.__globals__", "torch.ops.load_library",
        "#extension:evil", "os.system", "torch.ops.aten.from_file.default", "torch.ops.aten..x", "",
    ],
)  # fmt: skip
def test_target_that_is_no_operator_is_refused(program, target):
    def point_elsewhere(graph: Any) -> None:
        nodes(graph)[0]["target"] = target

    with pytest.raises(CheckpointError, match="target"):
        check_program(edited(program, in_json(GRAPH, point_elsewhere)))


@pytest.mark.parametrize("edit", [with_metadata, with_guard, with_size_text, with_name])
def test_text_that_torch_would_run_or_import_is_refused(program, edit):
    with pytest.raises(CheckpointError):
        check_program(edited(program, in_json(GRAPH, edit)))


def test_torch_is_given_the_files_that_were_checked_and_no_others(program):
    hidden = b"PK\x05\x06" + program
    assert check_program(hidden) == check_program(program) == program


class Evil:
    """What a pickle of it would do on loading."""

    def __reduce__(self) -> Any:
        return print, ("loaded",)


def pickled_weight(config: Any) -> None:
    next(iter(config["config"].values()))["use_pickle"] = True


def strange_path(config: Any) -> None:
    next(iter(config["config"].values()))["path_name"] = "../../evil"


def evil_sample(files: dict[str, bytes]) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(Evil()))
    files["data/sample_inputs/model.pt"] = packed.getvalue()


def second_pickle(files: dict[str, bytes]) -> None:
    packed = io.BytesIO(empty_sample())
    with zipfile.ZipFile(packed, "a") as archive:
        archive.writestr("archive/other.pkl", pickle.dumps(Evil()))
    files["data/sample_inputs/model.pt"] = packed.getvalue()


@pytest.mark.parametrize(
    "edit",
    [
        in_json(WEIGHTS, pickled_weight),
        in_json(WEIGHTS, strange_path),
        evil_sample,
        second_pickle,
        lambda files: files.update({"data/constants/custom_obj_0": b"x"}),
        lambda files: files.update({"data/weights/model.pt": b"x"}),
        lambda files: files.update({"extra/x.py": b"x"}),
        lambda files: files.pop(GRAPH),
        lambda files: files.pop(WEIGHTS),
        lambda files: files.update({GRAPH: b"[" * 100_000}),
        lambda files: files.update({GRAPH: b"\xff"}),
        lambda files: files.update({GRAPH: b"[]"}),
        lambda files: files.update({WEIGHTS: b'{"config": []}'}),
        lambda files: files.update({WEIGHTS: b'{"config": {"a": 1}}'}),
        lambda files: files.update({WEIGHTS: b"null"}),
    ],
)
def test_archive_that_holds_more_than_arrays_is_refused(program, edit):
    with pytest.raises(CheckpointError):
        check_program(edited(program, edit))


@examples(150)
@given(st.data())
def test_damaged_archive_is_refused_or_harmless(program, data):
    damaged = bytearray(program)
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(damaged[: data.draw(st.integers(0, len(damaged)))])
    for content in (bytes(damaged), cut):
        with suppress(CheckpointError):  # nothing else
            check_program(content)
