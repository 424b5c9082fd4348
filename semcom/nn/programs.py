"""Programs of `torch.export`: writing them without their origin, and loading them."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass

from semcom.errors import CheckpointError
from semcom.families.program_check import (
    GRAPH,
    SAMPLE,
    check_program,
    empty_sample,
    packed,
    without_origin,
)

MAX_ITEMS = 4096  # of a forward pass

Program = Callable[..., Tensor]


def load_program(content: bytes, device: torch.device) -> Program:
    """Return the function that a checked program computes.

    Raises:
        CheckpointError: torch cannot read it.
    """
    checked = check_program(content)
    try:
        exported = torch.export.load(io.BytesIO(checked))
        if device.type != "cpu":
            exported = move_to_device_pass(exported, device)
        program: Program = exported.module(check_guards=False)
    except Exception as error:  # from any version of torch that wrote it
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise CheckpointError(
            f"torch {torch.__version__} cannot read a program: {reason}"
        ) from error
    return program


def save_program(
    module: nn.Module, example: tuple[Tensor, ...], *, name: str = "a module"
) -> bytes:
    """Export a module; the first dimension of every input is the number of items.

    Args:
        module: module in evaluation mode.
        example: inputs, float32 (2, ...).
        name: of the module, for errors.

    Raises:
        CheckpointError: torch cannot export it, or the export is not a codec's program.
    """
    items = torch.export.Dim("items", min=1, max=MAX_ITEMS)
    saved = io.BytesIO()
    try:
        with torch.no_grad():
            exported = torch.export.export(
                module, example, dynamic_shapes=tuple({0: items} for _ in example)
            )
        torch.export.save(exported, saved)
    except Exception as error:  # torch raises many kinds of error for what it cannot export
        reason = next((line for line in str(error).splitlines() if line.strip()), "")
        raise CheckpointError(
            f"torch.export cannot export {name}: {reason or type(error).__name__}"
        ) from error
    return check_program(_without_origin(saved))


def _without_origin(archive: io.BytesIO) -> bytes:
    """Write the archive again without example inputs, paths of modules, or times."""
    files: dict[str, bytes] = {}
    with zipfile.ZipFile(archive) as source:
        for name in source.namelist():
            content, inner = source.read(name), name.partition("/")[2]
            if inner == GRAPH:
                graph = without_origin(json.loads(content)) | {"guards_code": []}
                content = json.dumps(graph, separators=(",", ":")).encode()
            files[name] = empty_sample() if inner == SAMPLE else content
    return packed(files)
