"""An ONNX graph under construction, with the layers of the codecs.

Batch norms are folded into the preceding layer in float64; float32 is stored.

Shape legend: N images, O and I channels out and in, k kernel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import NodeProto, TensorProto, helper, numpy_helper

from semcom.onnx.weight_table import Array, WeightTable

OPSET, IR_VERSION = 20, 9
NORM_EPSILON = 1e-5  # torch's default, of batch and layer norms alike


class Graph:
    """Nodes in the order of computation; methods return the name of the output that they add."""

    def __init__(self, weights: WeightTable) -> None:
        self.weights = weights
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add one node with one output."""
        output = f"{operator}_{len(self._nodes)}"
        self._nodes.append(helper.make_node(operator, inputs, [output], **attributes))
        return output

    def constant(self, values: Array) -> str:
        """Add constant values, as float32."""
        return self._keep(np.ascontiguousarray(values, dtype=np.float32))

    def integers(self, *values: int) -> str:
        """Add a list of integers, for shapes and axes."""
        return self._keep(np.array(values, dtype=np.int64))

    def convolution(self, x: str, kernel_OIkk: Array, bias_O: Array, **attributes: Any) -> str:
        """Add a convolution with ONNX's attributes."""
        kernel, bias = self.constant(kernel_OIkk), self.constant(bias_O)
        return self.add("Conv", x, kernel, bias, **attributes)

    def conv_norm(
        self, x: str, names: tuple[str, str], shape: tuple[int, int, int], *, stride: int = 1
    ) -> str:
        """Add a convolution that keeps the size (except for the stride), and its batch norm.

        Args:
            x: its input.
            names: of the convolution and of the norm, in the codec.
            shape: channels out, channels in, size of the kernel.
            stride: in both directions.
        """
        outputs, inputs, size = shape
        kernel = self.weights.take(f"{names[0]}.weight", outputs, inputs, size, size)
        scale_O, shift_O = self._norm(names[1], outputs)
        folded = kernel * scale_O[:, None, None, None]
        return self.convolution(x, folded, shift_O, strides=[stride, stride], pads=[size // 2] * 4)

    def dense(self, x: str, matrix_OI: Array, bias_O: Array) -> str:
        """(N, I) -> (N, O)."""
        return self.add("Gemm", x, self.constant(matrix_OI.T), self.constant(bias_O))

    def linear(self, x: str, name: str, *, inputs: int, outputs: int) -> str:
        """torch's `nn.Linear` of that name."""
        return self.dense(x, *self.weights.linear(name, inputs=inputs, outputs=outputs))

    def dense_norm(
        self, x: str, norm: str, matrix_OI: Array, bias_O: Array | None = None, *, affine: bool
    ) -> str:
        """Add a dense layer and its batch norm, which scales and shifts if `affine`."""
        scale_O, shift_O = self._norm(norm, len(matrix_OI), affine=affine)
        if bias_O is not None:
            shift_O = shift_O + scale_O * bias_O
        return self.dense(x, matrix_OI * scale_O[:, None], shift_O)

    def layer_norm(self, x: str, name: str, *, dim: int) -> str:
        """Add torch's `nn.LayerNorm` of that name."""
        scale = self.constant(self.weights.take(f"{name}.weight", dim))
        shift = self.constant(self.weights.take(f"{name}.bias", dim))
        return self.add("LayerNormalization", x, scale, shift, axis=-1, epsilon=NORM_EPSILON)

    def per_head(self, x_NI: str, matrices_HwO: Array) -> str:
        """Multiply each head's part of a row by the head's matrix: (N, H w) -> (N, H, O)."""
        heads, width, _ = matrices_HwO.shape
        parts_NHw = self.add("Reshape", x_NI, self.integers(0, heads, width))
        return self.by_head(parts_NHw, matrices_HwO)

    def by_head(self, parts_NHw: str, matrices_HwO: Array) -> str:
        """(N, H, w) -> (N, H, O): one product per head for any number of images."""
        parts_HNw = self.add("Transpose", parts_NHw, perm=[1, 0, 2])
        out_HNO = self.add("MatMul", parts_HNw, self.constant(matrices_HwO))
        return self.add("Transpose", out_HNO, perm=[1, 0, 2])

    def average_pool(self, x: str, stride: int) -> str:
        """Average each `stride` x `stride` positions; 1 has no effect."""
        if stride == 1:
            return x
        return self.add("AveragePool", x, kernel_shape=[stride] * 2, strides=[stride] * 2)

    def model(self, inputs: dict[str, list[int | str]], outputs: dict[str, str]) -> bytes:
        """Return the finished graph, serialised.

        Args:
            inputs: shapes of the float32 inputs by name; a word stands for any size.
            outputs: names of the outputs, and the value of each.
        """
        for name, value in outputs.items():
            self._nodes.append(helper.make_node("Identity", [value], [name]))
        given = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in inputs.items()]
        made = [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs]
        graph = helper.make_graph(
            self._nodes, "half of a codec", given, made, initializer=self._constants
        )
        model = helper.make_model(
            graph,
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name="rkd-sc",
        )
        return bytes(model.SerializeToString())

    def _norm(self, name: str, channels: int, *, affine: bool = True) -> tuple[Array, Array]:
        """Return a batch norm in evaluation as scale and shift of each channel."""
        mean = self.weights.take(f"{name}.running_mean", channels)
        variance = self.weights.take(f"{name}.running_var", channels)
        self.weights.skip(f"{name}.num_batches_tracked")
        scale = 1.0 / np.sqrt(variance + NORM_EPSILON)
        if not affine:
            return scale, -mean * scale
        scale = scale * self.weights.take(f"{name}.weight", channels)
        return scale, self.weights.take(f"{name}.bias", channels) - mean * scale

    def _keep(self, array: npt.NDArray[np.generic]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(array, name))
        return name
