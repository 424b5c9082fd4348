"""Features of single items at both ends of a link: as encoded and as recovered.

    rkd, jscc    h and h~, (N, D); of systems that send h itself, both at unit power
    kd_semcom    p and p^ of all tokens, (N, T D), 0 after a sentence's last token

Codecs of other families have no feature at both ends, or do not expose it.

Shape legend: N items, K complex symbols, D feature width, T tokens.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from receiver.codec import ReceiverCodec
from receiver.kd_semcom.codec import SentenceReceiver, token_mask, token_reals
from semcom.checkpoints import Checkpoint
from semcom.codec_manifest import CodecManifest
from semcom.families import ReceiverHalf, TransmitterHalf
from semcom.families.kd_semcom import SYMBOLS_PER_TOKEN
from semcom.nn.image_input import prepare_images
from semcom.used_symbols import Used
from semcom.vocabulary import END
from transmitters.codec import TransmitterCodec
from transmitters.kd_semcom.codec import SentenceTransmitter
from transmitters.kd_semcom.encoder import with_end

Array = npt.NDArray[np.float32]


class Features(Protocol):
    """Computes the features of items at both ends; the two arrays have one shape."""

    def sent(self, items: npt.NDArray[Any], *, snr_db: float) -> Array:
        """Return the features encoded by the transmitter."""
        ...

    def recovered(self, equalized_NK: Tensor, used_N: Used, *, snr_db: float) -> Array:
        """Return the features recovered from equalised codewords."""
        ...


class ImageFeatures:
    """Features of the paper's codecs."""

    def __init__(self, transmitter: TransmitterCodec, receiver: ReceiverCodec) -> None:
        self._transmitter, self._receiver = transmitter, receiver

    @torch.inference_mode()
    def sent(self, items: npt.NDArray[Any], *, snr_db: float) -> Array:
        """Images uint8 (N, H, W, 3) -> h (N, D)."""
        codec = self._transmitter
        images = prepare_images(torch.from_numpy(items), codec.architecture.encoder.input)
        snr_db_N = torch.full((len(items),), snr_db)
        features_ND, symbols_NK = codec.forward(images, snr_db_N)
        if codec.architecture.channel.is_direct:  # h itself is sent, at unit power
            features_ND = self._receiver.forward(symbols_NK, snr_db_N)[0]
        features: Array = features_ND.numpy()
        return features

    @torch.inference_mode()
    def recovered(self, equalized_NK: Tensor, used_N: Used, *, snr_db: float) -> Array:
        """(N, K) -> h~ (N, D)."""
        snr_db_N = torch.full((len(equalized_NK),), snr_db)
        used = torch.from_numpy(used_N.astype(np.int64))
        features: Array = self._receiver.forward(equalized_NK, snr_db_N, used)[0].numpy()
        return features


class SentenceFeatures:
    """Vectors of all tokens of a sentence, one after the other."""

    def __init__(self, transmitter: SentenceTransmitter, receiver: SentenceReceiver) -> None:
        self._transmitter, self._receiver = transmitter, receiver

    @torch.inference_mode()
    def sent(self, items: npt.NDArray[Any], *, snr_db: float) -> Array:
        """Words uint16 (N, L) -> p (N, T D)."""
        del snr_db
        used_N = self._transmitter.used_symbols(items)
        words_N = torch.from_numpy(used_N.astype(np.int64) // SYMBOLS_PER_TOKEN - 1)
        tokens_NT = with_end(torch.from_numpy(items.astype(np.int64)), words_N, END)
        return self._padded(self._transmitter.forward(tokens_NT)[0], used_N)

    @torch.inference_mode()
    def recovered(self, equalized_NK: Tensor, used_N: Used, *, snr_db: float) -> Array:
        """(N, K) -> p^ (N, T D)."""
        del snr_db
        return self._padded(self._receiver.decoder(token_reals(equalized_NK)), used_N)

    def _padded(self, vectors_NSD: Tensor, used_N: Used) -> Array:
        architecture = self._transmitter.architecture
        lengths_N = torch.from_numpy(used_N.astype(np.int64) // SYMBOLS_PER_TOKEN)
        there_NS = token_mask(lengths_N)
        shown = min(there_NS.shape[1], vectors_NSD.shape[1])
        whole = torch.zeros(len(vectors_NSD), architecture.tokens, architecture.width)
        whole[:, :shown] = vectors_NSD[:, :shown] * there_NS[:, :shown, None]
        flat: Array = whole.flatten(1).numpy()
        return flat


def features_of(
    checkpoint: Checkpoint, transmitter: TransmitterHalf, receiver: ReceiverHalf
) -> Features | None:
    """Return the object that computes the features of a codec; None if its family has none.

    Halves that compute without torch are loaded again with torch: the features are equal up to
    rounding.
    """
    if isinstance(checkpoint.manifest, CodecManifest):
        if not isinstance(transmitter, TransmitterCodec):
            transmitter = TransmitterCodec.load(checkpoint)
        if not isinstance(receiver, ReceiverCodec):
            receiver = ReceiverCodec.load(checkpoint)
        return ImageFeatures(transmitter, receiver)
    if isinstance(transmitter, SentenceTransmitter) and isinstance(receiver, SentenceReceiver):
        return SentenceFeatures(transmitter, receiver)
    return None
