"""The room table of the house against the imports: read by ast, and seen in subprocesses."""

from __future__ import annotations

import ast
import json
import subprocess
import sys

import pytest

from tests.room_table import (
    ALSO,
    FAMILY_FOLDERS,
    MODEL_MODULES,
    NETWORK_FILES,
    RULES,
    SOCKET_MODULES,
    WITH_TORCH,
    room_of,
    under,
)
from tests.sources import (
    REPO,
    closure,
    defined_networks,
    files,
    imported,
    modules,
    reached_by_attribute,
)


def breaches(module: str, tree: ast.Module) -> list[str]:
    rule = RULES[room_of(module)]
    allowed = (*rule.allowed, *ALSO.get(module, ()))
    found = [
        names[-1]
        for names in imported(tree)
        if names[0].split(".")[0] not in sys.stdlib_module_names
        and (
            not any(under(name, allowed) for name in names)
            or any(under(name, rule.forbidden) for name in names)
        )
    ]
    return found + sorted(n for n in reached_by_attribute(tree) if under(n, rule.forbidden))


def test_every_room_is_looked_at():
    counted = {room: sum(room_of(name) == room for name in modules()) for room in RULES}
    assert all(count >= 3 for count in counted.values()), counted


@pytest.mark.parametrize("module", sorted(files()))
def test_module_imports_only_what_its_room_may(module):
    assert breaches(module, modules()[module]) == []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("semcom.wire", "import torch"),
        ("semcom.wire", "import zmq"),
        ("semcom.wire", "from semcom.nn import blocks"),
        ("semcom.wire", "from semcom.onnx import graph"),
        ("semcom.onnx.graph", "import torch"),
        ("semcom.onnx.graph", "import onnxruntime"),
        ("channel_sim.broker", "from semcom.onnx.graph import Graph"),
        ("semcom.statistics", "def f():\n    from receiver.batcher import Batcher"),
        ("semcom.statistics", "import safetensors.numpy"),
        ("transmitters.codec", "import timm"),
        ("transmitters.codec", "from torchvision import transforms"),
        ("transmitters.codec", "from torch import optim"),
        ("transmitters.codec", "import torch\nx = torch.optim.Adam"),
        ("transmitters.codec", "import torch as t\nx = t.optim.Adam"),
        ("transmitters.codec", "from channel_sim.channels import draw_channel"),
        ("channel_sim.broker", "if True:\n    import torch"),
        ("channel_sim.broker", "from receiver import equalizer"),
        ("channel_sim.broker", "import importlib\nimportlib.import_module('receiver.heads')"),
        ("receiver.codec", "from channel_sim.noise import complex_normals"),
        ("receiver.codec", "__import__('transmitters')"),
        ("receiver.codec", "from . import heads"),
        ("orchestrator.sweep.state", "import torch"),
        ("orchestrator.sweep.state", "from orchestrator import training"),
        ("orchestrator.sweep.state", "from transmitters.codec import TransmitterCodec"),
        (
            "orchestrator.training.training_link",
            "from transmitters.service import TransmitterService",
        ),
        ("orchestrator.training.training_link", "from transmitters import sender"),
        ("orchestrator.training.training_link", "from semcom import sockets"),
        ("orchestrator.training.training_link", "import zmq"),
        ("orchestrator.training.training_link", "from orchestrator.results.ledger import Ledger"),
    ],
)
def test_breach_of_the_table_is_found(module, source):
    assert breaches(module, ast.parse(source)) != []


@pytest.mark.parametrize(
    ("module", "source"),
    [
        ("semcom.sockets", "import zmq"),
        ("transmitters.codec", "import torch\nfrom semcom.nn.weights import load_arrays"),
        (
            "orchestrator.training.training_link",
            "from transmitters import codec\nimport torch.optim",
        ),
        ("channel_sim.broker", "receiver = {}\nreceiver.held = 1"),
    ],
)
def test_what_the_table_allows_is_no_breach(module, source):
    assert breaches(module, ast.parse(source)) == []


@pytest.mark.parametrize("module", MODEL_MODULES)
def test_model_module_brings_no_socket_along(module):
    assert module in modules()
    assert [name for name in closure(module) if under(name, SOCKET_MODULES)] == []


def test_an_end_knows_torch_only_where_it_is_the_engine():
    importers = {
        name
        for name, tree in modules().items()
        if under(name, ("transmitters", "receiver"))
        and any(under(n, ("torch", "semcom.nn")) for names in imported(tree) for n in names)
    }
    assert importers == set(WITH_TORCH)


def test_no_module_of_an_end_imports_a_family_that_is_not_its_own():
    for folder in FAMILY_FOLDERS:
        own = [name for name in modules() if under(name, (folder,))]
        assert len(own) >= 3
        room = folder.rpartition(".")[0]
        callers = {"orchestrator.training.trained_families"}
        others = {name for name in modules() if under(name, (room,))} - set(own) - callers
        found = [
            name
            for name in others
            if any(under(n, (folder,)) for names in imported(modules()[name]) for n in names)
        ]
        assert found == [], folder


def test_training_brings_no_socket_along():
    jobs = [name for name in modules() if under(name, ("orchestrator.training",))]
    assert jobs
    found = {job: [n for n in closure(job) if under(n, SOCKET_MODULES)] for job in jobs}
    assert not any(found.values()), found


def test_closure_follows_imports_of_imports():
    assert "zmq" in closure("receiver.service")
    assert "torch" in closure("orchestrator.training.training_link")


def test_networks_are_defined_in_model_modules_only():
    found = {name: defined_networks(tree) for name, tree in modules().items()}
    holders = {name for name, networks in found.items() if networks}
    assert len(holders) >= 5
    assert {name for name in holders if not under(name, NETWORK_FILES)} == set()


def test_channel_with_its_kin_draws_nothing_at_random_without_a_key():
    """Random numbers are keyed: no global generator, no seed from time or process."""
    for name in (name for name in modules() if under(name, ("channel_sim",))):
        text = ast.unparse(modules()[name])
        assert "default_rng" not in text
        assert "random.seed" not in text
        assert [n for names in imported(modules()[name]) for n in names if n == "random"] == []


def test_reports_results_and_commands_show_whatever_a_metric_is():
    """Only what is about the training of classification, or its bound, says accuracy."""
    folders = ("reports", "results", "cli")
    paths = [path for name in folders for path in (REPO / "orchestrator" / name).glob("*.py")]
    assert len(paths) > 40
    assert {path.name for path in paths if "accurac" in path.read_text().lower()} == {
        "claims.py",
        "label_bounds.py",
        "search_history.py",
    }


LANGUAGE = ",".join(
    name
    for name in files()
    if room_of(name) == "semcom" and not name.endswith("__main__") and name != "semcom.nn"
)
EDGE_FORBIDS = ("matplotlib", "timm", "torchvision", "orchestrator", "channel_sim")


@pytest.mark.parametrize(
    ("names", "forbidden"),
    [
        (LANGUAGE, ("torch", "transmitters", "channel_sim", "receiver", "orchestrator")),
        (
            "channel_sim.service",
            (
                *("torch", "safetensors", "numba", "llvmlite", "semcom.nn"),
                *("transmitters", "receiver", "orchestrator"),
            ),
        ),
        ("transmitters.service", (*EDGE_FORBIDS, "receiver", "torch", "onnx", "onnxruntime")),
        ("transmitters.codec", (*EDGE_FORBIDS, "receiver", "onnx", "onnxruntime")),
        ("transmitters.onnx_engine", (*EDGE_FORBIDS, "receiver", "torch", "semcom.nn")),
        ("receiver.service", (*EDGE_FORBIDS, "transmitters", "torch", "onnx", "onnxruntime")),
        ("receiver.codec", (*EDGE_FORBIDS, "transmitters", "onnx", "onnxruntime")),
        ("receiver.onnx_decoder", (*EDGE_FORBIDS, "transmitters", "torch", "semcom.nn")),
        (
            "orchestrator.cli.main",
            (
                *("torch", "matplotlib", "orchestrator.training"),
                *("transmitters", "channel_sim", "receiver"),
            ),
        ),
    ],
    ids=lambda value: value.split(",")[0] if isinstance(value, str) else "",
)
def test_process_starts_without_what_it_never_uses(names, forbidden):
    code = f"import {names}, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout)
    assert names.split(",")[0] in loaded
    assert [name for name in loaded if under(name, forbidden)] == []
