"""Parameters, bytes, multiplications and latency of a codec of sentences, Table III.

All values are for one sentence of `TOKENS` tokens that is decoded completely: greedy decoding with
the key-value cache takes this many steps, whatever the words.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from receiver.kd_semcom.codec import SentenceReceiver, token_reals
from receiver.kd_semcom.decoder import KeyValueCache
from semcom.checkpoints import Checkpoint
from semcom.codec_manifest import FamilyManifest
from semcom.families.kd_semcom import KdSemcomArchitecture
from semcom.records import SentenceFootprint, Timing
from semcom.vocabulary import END, FIRST_WORD, START
from transmitters.kd_semcom.codec import SentenceTransmitter
from transmitters.kd_semcom.encoder import codewords

TOKENS = 20  # with END; fewer if a codec takes fewer
WARM_UP_RUNS = 3


def codec_footprint(checkpoint: Checkpoint, repeats: int) -> SentenceFootprint:
    """Measure a codec, with its halves as in service.

    Raises:
        CheckpointError: it is damaged.
    """
    manifest = checkpoint.manifest
    assert isinstance(manifest, FamilyManifest)
    # Both load_* of the family configure torch for service; here the process sets the threads.
    family, threads = manifest.family, torch.get_num_threads()
    transmitter = family.load_transmitter(checkpoint, engine="torch", threads=threads)
    receiver = family.load_receiver(checkpoint, engine="torch", device="cpu", threads=threads)
    assert isinstance(transmitter, SentenceTransmitter)
    assert isinstance(receiver, SentenceReceiver)
    found = measure(transmitter, receiver, repeats=repeats)
    return found.model_copy(
        update={
            "name": checkpoint.folder.name,
            "dataset": manifest.dataset,
            "system": manifest.system,
            "digest": manifest.digest,
            "bytes_on_disk": {
                end: len(checkpoint.read_half(end)) for end in ("transmitter", "receiver")
            },
        }
    )


def measure(
    transmitter: SentenceTransmitter, receiver: SentenceReceiver, *, repeats: int
) -> SentenceFootprint:
    """Return everything but names and files, with the modules as in service."""
    architecture = receiver.architecture
    tokens = _sentence(architecture)
    with torch.inference_mode():
        symbols = codewords(transmitter.forward(tokens)[1], tokens)
    networks = {**transmitter.modules, **receiver.modules}
    return SentenceFootprint(
        name="",
        dataset="",
        system="",
        precision=architecture.precision,
        tokens=tokens.shape[1],
        layers=architecture.layers,
        parameters=architecture.counted(),
        embeddings=sum(map(_embedded, networks.values())),
        prediction_layer=_parameters(receiver.head),
        layer_norms=sum(map(_normalising, networks.values())),
        bytes_on_disk={},
        macs={
            "encoder": _macs(lambda: transmitter.forward(tokens)),
            "decoder": _macs(lambda: decode(receiver, symbols)),
        },
        encode=_timing(lambda: transmitter.forward(tokens), repeats),
        decode=_timing(lambda: decode(receiver, symbols), repeats),
    )


def decode(receiver: SentenceReceiver, symbols_BK: Tensor) -> Tensor:
    """Decode sentences greedily to their last token, without an earlier end."""
    memory = receiver.decoder(token_reals(symbols_BK))
    there_BS = torch.ones(memory.shape[:2], dtype=torch.bool)
    cache = KeyValueCache(receiver.semantic_decoder, memory, there_BS)
    last_B = torch.full((len(memory),), START)
    for _ in range(memory.shape[1]):
        last_B = receiver.head(cache.step(last_B)).argmax(dim=1)
    return last_B


def _sentence(architecture: KdSemcomArchitecture) -> Tensor:
    """Return one sentence of words with END, int64 (1, T)."""
    count = min(TOKENS, architecture.tokens)
    dice = np.random.default_rng(0)
    words = dice.integers(FIRST_WORD, architecture.vocabulary, count - 1).tolist()
    return torch.tensor([[*words, END]])


def _timing(call: Callable[[], object], repeats: int) -> Timing:
    durations_ms: list[float] = []
    with torch.inference_mode():
        for run in range(WARM_UP_RUNS + repeats):
            started_s = time.perf_counter()
            call()
            if run >= WARM_UP_RUNS:
                durations_ms.append(1e3 * (time.perf_counter() - started_s))
    return Timing(
        median_ms=median(durations_ms),
        min_ms=min(durations_ms),
        max_ms=max(durations_ms),
        runs=repeats,
    )


def _macs(call: Callable[[], object]) -> int:
    """Return multiply-accumulate operations; attention uses plain products, which are counted."""
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        call()
    return int(counter.get_total_flops()) // 2


def _parameters(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _embedded(module: nn.Module) -> int:
    return sum(_parameters(part) for part in module.modules() if isinstance(part, nn.Embedding))


def _normalising(module: nn.Module) -> int:
    return sum(_parameters(part) for part in module.modules() if isinstance(part, nn.LayerNorm))
