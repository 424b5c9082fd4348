"""A codec of the paper from its folder alone, in numpy: what its manifest says, and no more.

Nothing of the project is imported. Shape legend: N images, C channels, H rows, W columns.
"""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

DTYPES = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "I64": np.int64}
EPSILON = 1e-5


def read_safetensors(path: Path) -> dict[str, np.ndarray]:
    content = path.read_bytes()
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    arrays = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        data = content[8 + length + first : 8 + length + last]
        array = np.frombuffer(data, DTYPES[entry["dtype"]]).reshape(entry["shape"])
        arrays[name] = array.astype(np.float32) if array.dtype.kind == "f" else array
    return arrays


class PlainCodec:
    """Both ends of a codec whose encoder is a student."""

    def __init__(self, folder: Path) -> None:
        self.manifest = json.loads((folder / "manifest.json").read_text())
        self.architecture = self.manifest["architecture"]
        self.weights = {
            **read_safetensors(folder / "transmitter.safetensors"),
            **read_safetensors(folder / "receiver.safetensors"),
        }

    def encode(self, images: np.ndarray) -> np.ndarray:
        """Pixels uint8 (N, H, W, 3) of the input's size -> symbols complex (N, K)."""
        x = self.block("channel_encoder.block", self.feature(images))
        x = self.linear("channel_encoder.reduce", x)
        x = x / np.sqrt(2 * np.maximum(np.square(x).mean(axis=1, keepdims=True), 1e-12))
        x = np.pad(x, ((0, 0), (0, x.shape[1] % 2)))
        return x[:, ::2] + 1j * x[:, 1::2]

    def decode(self, symbols: np.ndarray, snr_db: float) -> np.ndarray:
        """Equalised symbols (N, K) -> logits (N, T)."""
        channel = self.architecture["channel"]
        reals = np.stack([symbols.real, symbols.imag], axis=2).reshape(len(symbols), -1)
        count = math.floor(round(channel["feature_dim"] * (1 - channel["compression_ratio"]), 6))
        x = reals[:, :count]
        for number, layer in enumerate(("reduce", "output")):
            code = self.snr_code(f"decoder.snr_code{number}", snr_db)
            x = np.concatenate([x, np.tile(code, (len(x), 1))], axis=1)
            x = self.linear(f"decoder.{layer}", self.block(f"decoder.block{number}", x))
        return self.linear("head.linear", x)

    def feature(self, images: np.ndarray) -> np.ndarray:
        encoder = self.architecture["encoder"]
        mean, std = (np.array(encoder["input"][name]) for name in ("mean", "std"))
        x = ((images / 255.0 - mean) / std).transpose(0, 3, 1, 2)
        for number, stride in ((1, encoder["stem_conv_stride"]), (2, 1), (3, 1)):
            x = self.conv(f"encoder.stem.conv{number}", x, stride=stride, padding=1)
            x = relu(self.batch_norm(f"encoder.stem.bn{number}", x))
        x = mean_pool(x, 2)
        for stage, (depth, stride) in enumerate(zip(encoder["depths"], (1, 2, 2, 2), strict=True)):
            for block in range(depth):
                x = self.bottleneck(f"encoder.stages.{stage}.{block}", x, 1 if block else stride)
        return self.attention_pool(x, encoder["heads"])

    def bottleneck(self, name: str, x: np.ndarray, stride: int) -> np.ndarray:
        y = relu(self.batch_norm(f"{name}.bn1", self.conv(f"{name}.conv1", x)))
        y = relu(self.batch_norm(f"{name}.bn2", self.conv(f"{name}.conv2", y, padding=1)))
        y = self.batch_norm(f"{name}.bn3", self.conv(f"{name}.conv3", mean_pool(y, stride)))
        if f"{name}.shortcut.1.weight" in self.weights:
            x = self.conv(f"{name}.shortcut.1", mean_pool(x, stride))
            x = self.batch_norm(f"{name}.shortcut.2", x)
        return relu(y + x)

    def attention_pool(self, x: np.ndarray, heads: int) -> np.ndarray:
        count, channels = x.shape[:2]
        tokens = x.reshape(count, channels, -1).transpose(0, 2, 1)
        tokens = np.concatenate([tokens.mean(axis=1, keepdims=True), tokens], axis=1)
        tokens = tokens + self.weights["encoder.pool.position"]

        def of_heads(name: str, given: np.ndarray) -> np.ndarray:
            made = self.linear(f"encoder.pool.{name}", given)
            return made.reshape(count, -1, heads, channels // heads).transpose(0, 2, 1, 3)

        q, k, v = (
            of_heads("query", tokens[:, :1]),
            of_heads("key", tokens),
            of_heads("value", tokens),
        )
        scores = q @ k.transpose(0, 1, 3, 2) / math.sqrt(channels / heads)
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        attended = scores / scores.sum(axis=-1, keepdims=True) @ v
        return self.linear("encoder.pool.output", attended.reshape(count, channels))

    def block(self, name: str, x: np.ndarray) -> np.ndarray:
        attended = self.linear(f"{name}.output", self.linear(f"{name}.value", x))
        x = self.layer_norm(f"{name}.norm1", x + attended)
        hidden = gelu(self.linear(f"{name}.up", x))
        return self.layer_norm(f"{name}.norm2", x + self.linear(f"{name}.down", hidden))

    def snr_code(self, name: str, snr_db: float) -> np.ndarray:
        s = np.array([min(max(snr_db, -15.0), 30.0) / 20.0])
        return 1.0 / (1.0 + np.exp(-self.linear(f"{name}.linear", s)))

    def linear(self, name: str, x: np.ndarray) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def layer_norm(self, name: str, x: np.ndarray) -> np.ndarray:
        centred = x - x.mean(axis=-1, keepdims=True)
        scaled = centred / np.sqrt(np.square(centred).mean(axis=-1, keepdims=True) + EPSILON)
        return scaled * self.weights[f"{name}.weight"] + self.weights[f"{name}.bias"]

    def batch_norm(self, name: str, x: np.ndarray) -> np.ndarray:
        mean, variance, weight, bias = (
            self.weights[f"{name}.{part}"][:, None, None]
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / np.sqrt(variance + EPSILON) * weight + bias

    def conv(self, name: str, x: np.ndarray, *, stride: int = 1, padding: int = 0) -> np.ndarray:
        kernel = self.weights[f"{name}.weight"]
        x = np.pad(x, ((0, 0), (0, 0), (padding, padding), (padding, padding)))
        windows = np.lib.stride_tricks.sliding_window_view(x, kernel.shape[2:], axis=(2, 3))
        windows = windows[:, :, ::stride, ::stride]
        return np.einsum("nchwij,ocij->nohw", windows, kernel, optimize=True)


def relu(x: np.ndarray) -> np.ndarray:
    return np.maximum(x, 0.0)


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1.0 + np.vectorize(math.erf)(x / math.sqrt(2.0)))


def mean_pool(x: np.ndarray, size: int) -> np.ndarray:
    if size == 1:
        return x
    count, channels, height, width = x.shape
    return x.reshape(count, channels, height // size, size, width // size, size).mean(axis=(3, 5))
