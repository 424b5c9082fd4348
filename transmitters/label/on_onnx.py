"""The classifier of a transmitter on ONNX Runtime: no torch in the process.

Shape legend: N images of a frame, H height, W width, c reals of a codeword, T classes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from semcom.architecture import CodecArchitecture
from semcom.codec_arrays import Arrays
from semcom.families.label import CLASSIFIER, NOISE_FREE_DB, stage_widths
from semcom.onnx.blocks import add_one_token_block
from semcom.onnx.graph import Graph
from semcom.onnx.session import make_session
from semcom.onnx.weight_table import WeightTable
from transmitters.onnx_engine import OnnxCodec
from transmitters.onnx_model import CODEWORD, build_model

LOGITS = "logits"


class OnnxClassifier:
    """A codec's transmitting half, and its receiving half without noise."""

    def __init__(self, source: CodecArchitecture, arrays: Arrays, *, threads: int) -> None:
        own = {name: array for name, array in arrays.items() if name.startswith(CLASSIFIER)}
        sent = {name: array for name, array in arrays.items() if name not in own}
        self._codec = OnnxCodec(source, build_model(source, sent), threads=threads)
        self._classifier = make_session(build_classifier(source, own), threads=threads)

    def logits(self, images_NHW3: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """Classify one frame: uint8 (N, H, W, 3) -> float32 (N, T)."""
        prepared = self._codec.prepare(images_NHW3)
        (codeword_Nc,) = self._codec.run(prepared, [CODEWORD], snr_db=NOISE_FREE_DB)
        logits_NT: npt.NDArray[np.float32] = self._classifier.run(
            [LOGITS], {CODEWORD: codeword_Nc}
        )[0]
        return logits_NT


def build_classifier(source: CodecArchitecture, arrays: Arrays) -> bytes:
    """Return `Classifier`, serialised: codeword (N, c) -> logits (N, T)."""
    weights, channel = WeightTable(arrays), source.channel
    graph, dim = Graph(weights), channel.feature_dim
    x = CODEWORD
    for number, (inputs, outputs) in enumerate(stage_widths(channel)):
        name = f"{CLASSIFIER}stages.{number}"
        # Broadcast the code to all images: 0 times a column, plus the code.
        code = weights.take(f"{name}.code", dim - inputs)
        matrix = np.zeros((dim - inputs, inputs))
        codes = graph.dense(x, matrix, code)
        x = graph.add("Concat", x, codes, axis=1)
        x = add_one_token_block(graph, x, f"{name}.block", dim=dim, ffn_dim=channel.ffn_dim)
        x = graph.linear(x, f"{name}.linear", inputs=dim, outputs=outputs)
    logits = graph.linear(x, f"{CLASSIFIER}linear", inputs=dim, outputs=source.classes)
    weights.finish()
    return graph.model({CODEWORD: ["images", channel.codeword_dim]}, {LOGITS: logits})
