"""Rounding of torch on this machine: the instruction set that it uses, and known operations."""

from __future__ import annotations

import hashlib

import numpy as np
import torch
import torch.nn.functional as F

from semcom.fingerprint import EngineRounding

SEED = 1
STEPS = 1 << 12  # numbers below this are exact in float32 after the division
CONTRAST = 4  # so that softmax adds numbers of many magnitudes


def torch_part(*, device: str = "cpu", threads: int = 1) -> EngineRounding:
    """Return how torch rounds here."""
    name = "cpu" if device == "cpu" else torch.cuda.get_device_name()
    return EngineRounding(
        engine="torch",
        version=str(torch.__version__),
        kernels=torch_kernels(device),
        rounding=torch_rounding(device=device, threads=threads),
        threads=threads,
        device=name,
    )


def torch_kernels(device: str = "cpu") -> str:
    """Return the instruction set that torch uses, or the accelerator."""
    if device == "cpu":
        return str(torch.backends.cpu.get_cpu_capability())
    return f"CUDA {torch.version.cuda}, compute capability {torch.cuda.get_device_capability()}"


def torch_rounding(*, device: str = "cpu", threads: int = 1) -> str:
    """Return the SHA-256 over the results of typical network operations on known numbers."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode():
            results = _known_operations(device)
    finally:
        torch.set_num_threads(before)
    digest = hashlib.sha256()
    for result in results:
        digest.update(result.cpu().numpy().tobytes())
    return digest.hexdigest()


def _known_operations(device: str) -> list[torch.Tensor]:
    """Return results of products, convolutions, norms and functions of float32."""
    rows = _numbers(64, 512, device=device)
    dense = F.linear(rows, _numbers(384, 512, device=device), _numbers(384, device=device))
    images = _numbers(16, 32, 16, 16, device=device)
    convolved = F.conv2d(images, _numbers(48, 32, 3, 3, device=device), padding=1)
    depthwise = F.conv2d(images, _numbers(32, 1, 3, 3, device=device), padding=1, groups=32)
    heads = CONTRAST * _numbers(4, 4, 64, 32, device=device)
    attention = F.scaled_dot_product_attention(heads, heads, heads)
    return [
        dense,
        convolved,
        depthwise,
        attention,
        F.layer_norm(dense, [384]),
        F.batch_norm(convolved, None, None, training=True),
        F.gelu(dense),
        torch.softmax(CONTRAST * rows, dim=-1),
        torch.exp(rows),
        torch.sigmoid(rows),
        convolved.mean(dim=(2, 3)),
    ]


def _numbers(*shape: int, device: str) -> torch.Tensor:
    """Return numbers between -1 and 1 that are the same on every machine."""
    drawn = np.random.Generator(np.random.PCG64(SEED)).integers(-STEPS, STEPS, shape)
    return torch.from_numpy(drawn.astype(np.float32) / np.float32(STEPS)).to(device)
