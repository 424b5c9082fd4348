"""A codec's receiver on ONNX Runtime: no torch in the process.

    z~ (N, K), CSI (N, M) -> equalize -> reals (N, c), SNR (N, 1) -> one graph -> logits (N, T)

The graph is built in memory from the architecture and the verified weights. It computes the same as
the torch networks, up to rounding.

Shape legend: N images of a frame, K complex symbols, M columns of channel state, c reals of a
codeword, D feature width, T classes.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from receiver.numpy_equalizer import equalize, noise_power
from semcom.architecture import ChannelCodecArchitecture, CodecArchitecture
from semcom.checkpoints import Checkpoint
from semcom.codec_arrays import Arrays, check_arrays
from semcom.onnx.blocks import add_one_token_block, add_snr_code
from semcom.onnx.graph import Graph
from semcom.onnx.session import make_session
from semcom.onnx.weight_table import WeightTable
from semcom.points import EqualizerMethod
from semcom.probe import probe_receiver
from semcom.used_symbols import Used, all_used

CODEWORD, SNR_DB, COME, LOGITS = "codeword", "snr_db", "come", "logits"


class OnnxDecoder:
    """Channel decoder and task head of one link, as one model."""

    def __init__(self, architecture: CodecArchitecture, model: bytes, *, threads: int) -> None:
        self.architecture = architecture
        self._session = make_session(model, threads=threads)

    @classmethod
    def load(cls, checkpoint: Checkpoint, *, threads: int) -> OnnxDecoder:
        """Build from a checkpoint, ready for use.

        Raises:
            CheckpointError: the weights are damaged, do not fit, or give invalid outputs.
        """
        architecture = checkpoint.architecture
        model = build_model(architecture, checkpoint.read_weights("receiver"))
        codec = cls(architecture, model, threads=threads)
        probe_receiver(
            checkpoint,
            lambda symbols, snr_db: codec.decode(
                symbols, None, snr_db_N=snr_db, equalizer="zero_forcing"
            ),
        )
        return codec

    def decode(
        self,
        received_NK: npt.NDArray[np.complex64],
        csi_NM: npt.NDArray[np.complex64] | None,
        *,
        snr_db_N: npt.NDArray[np.float32],
        equalizer: EqualizerMethod,
        used_N: Used | None = None,
    ) -> npt.NDArray[np.float32]:
        """Decode one forward pass: received complex64 (N, K) -> logits float32 (N, T).

        `used_N`: number of symbols sent for each codeword, with a codec of several lengths; None:
        all.
        """
        snr_db_N1 = snr_db_N[:, None]
        with np.errstate(all="ignore"):  # callers detect NaN and Inf, as with torch
            equalized_NK = equalize(
                received_NK, csi_NM, method=equalizer, noise_power_B1=noise_power(snr_db_N)
            )
        channel = self.architecture.channel
        reals_N2K = np.ascontiguousarray(equalized_NK).view(np.float32)
        inputs = {CODEWORD: np.ascontiguousarray(reals_N2K[:, : channel.codeword_dim])}
        if not channel.is_direct:
            inputs[SNR_DB] = snr_db_N1
        if channel.increments is not None:
            used_N = all_used(len(received_NK), channel.symbols) if used_N is None else used_N
            inputs[COME] = (used_N[:, None] >= np.array(channel.lengths)).astype(np.float32)
        logits_NT: npt.NDArray[np.float32] = self._session.run([LOGITS], inputs)[0]
        return logits_NT


def build_model(architecture: CodecArchitecture, arrays: Arrays) -> bytes:
    """Return a codec's receiver, serialised; `snr_db` (N, 1) is not an input of a direct link.

    `come` (N, I), the received increments, is an input only for ordered codewords.

    Raises:
        CheckpointError: the arrays do not fit the architecture.
    """
    check_arrays(architecture, "receiver", arrays)
    weights = WeightTable(arrays)
    graph, channel = Graph(weights), architecture.channel
    inputs: dict[str, list[int | str]] = {CODEWORD: ["images", channel.codeword_dim]}
    features = CODEWORD
    if not channel.is_direct:
        inputs[SNR_DB] = ["images", 1]
        if channel.increments is not None:
            inputs[COME] = ["images", len(channel.increments)]
        features = _add_channel_decoder(graph, channel)
    logits = graph.linear(
        features, "head.linear", inputs=channel.feature_dim, outputs=architecture.classes
    )
    weights.finish()
    return graph.model(inputs, {LOGITS: logits})


def _add_channel_decoder(graph: Graph, channel: ChannelCodecArchitecture) -> str:
    """Add `ChannelDecoder`: codeword (N, c) and SNR (N, 1) -> features (N, D)."""
    x, dim, codeword_dim = CODEWORD, channel.feature_dim, channel.codeword_dim
    increments = channel.increments
    for number, (name, outputs) in enumerate((("reduce", codeword_dim), ("output", dim))):
        code = add_snr_code(
            graph,
            SNR_DB,
            f"decoder.snr_code{number}",
            width=dim - codeword_dim,
            come=None if increments is None else (COME, len(increments)),
        )
        x = graph.add("Concat", x, code, axis=1)
        x = add_one_token_block(
            graph, x, f"decoder.block{number}", dim=dim, ffn_dim=channel.ffn_dim
        )
        x = graph.linear(x, f"decoder.{name}", inputs=dim, outputs=outputs)
    return x
