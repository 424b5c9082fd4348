"""Weights between torch modules and the arrays of a checkpoint.

fp16 on disk, float32 in use: every process that loads a codec computes with the same values.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from semcom.codec_arrays import Arrays
from semcom.errors import CheckpointError

LOADABLE = (torch.float16, torch.float32, torch.float64)


def to_arrays(modules: dict[str, nn.Module]) -> Arrays:
    """Return all parameters and buffers as `<module>.<name>`, floating point as float16.

    Raises:
        CheckpointError: a value that float16 cannot hold.
    """
    arrays: Arrays = {}
    for prefix, module in modules.items():
        for name, tensor in module.state_dict().items():
            array = tensor.detach().cpu().contiguous().numpy()
            if array.dtype == np.float32:
                with np.errstate(over="ignore"):  # seen by the next line
                    array = array.astype(np.float16)
                if not np.isfinite(array).all():
                    raise CheckpointError(f"{prefix}.{name} does not fit into float16")
            arrays[f"{prefix}.{name}"] = array
    return arrays


def load_arrays(modules: dict[str, nn.Module], arrays: Arrays) -> None:
    """Load arrays into modules; names and shapes must fit exactly.

    Raises:
        CheckpointError: a missing or unknown name, or a wrong shape.
    """
    states: dict[str, dict[str, torch.Tensor]] = {prefix: {} for prefix in modules}
    for full_name, array in arrays.items():
        prefix, _, name = full_name.partition(".")
        if prefix not in states:
            raise CheckpointError(f"weights '{full_name}' belong to no part of this codec")
        states[prefix][name] = torch.from_numpy(np.array(array))
    for prefix, module in modules.items():
        _check_types(prefix, module, states[prefix])
        try:
            module.load_state_dict(states[prefix], strict=True)
        except RuntimeError as error:
            first = str(error).splitlines()[1].strip() if "\n" in str(error) else str(error)
            raise CheckpointError(f"weights do not fit the {prefix}: {first}") from error


def _check_types(prefix: str, module: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Refuse what torch would silently convert: integers for weights, float64 that overflows."""
    for name, own in module.state_dict().items():
        given = state.get(name)
        if given is None:
            continue
        if given.dtype in LOADABLE if own.is_floating_point() else given.dtype == own.dtype:
            state[name] = given.to(own.dtype)
            if bool(torch.isfinite(state[name]).all()):
                continue
        raise CheckpointError(f"weights do not fit the {prefix}: {name} is {given.dtype}")
