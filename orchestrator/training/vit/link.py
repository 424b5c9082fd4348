"""The link as training sees it: both halves of a codec around the deployed channel.

Shape legend: B batch, S image size, N indices, I reals of a codeword, T classes.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from orchestrator.training.training_link import Conditions, through_channel
from receiver.vit.codec import VitReceiver
from receiver.vit.decoder import QueryDecoder
from semcom.families.vit import VitArchitecture
from semcom.nn.square_qam import bytes_to_symbols, symbols_to_bytes
from transmitters.vit.codec import VitTransmitter


@dataclass(frozen=True)
class VitOutput:
    """logits_BT, and how far the vectors are from their codewords: None without a codebook.

    `commitment` moves the vectors, `codebook` the codewords.
    """

    logits_BT: Tensor
    commitment: Tensor | None = None
    codebook: Tensor | None = None


class VitLink(nn.Module):
    """Both halves, end to end; the transmitter's codebook is trained, and copied at the end."""

    def __init__(self, architecture: VitArchitecture) -> None:
        super().__init__()
        self.transmitter = VitTransmitter(architecture)
        self.receiver = VitReceiver(architecture)
        self._has_codebook = architecture.link == "indices"
        decoder = self.receiver.decoder
        if self._has_codebook and isinstance(decoder, QueryDecoder):
            decoder.codebook.requires_grad_(False)
        self.parts = nn.ModuleDict({**self.transmitter.modules, **self.receiver.modules})

    def forward(self, images_B3SS: Tensor, conditions: Conditions) -> VitOutput:
        """Encode a batch of prepared images and send it."""
        tokens = self.transmitter.encoder(images_B3SS)
        if self._has_codebook:
            return self._by_indices(tokens, conditions)
        sent = self.transmitter.channel_encoder(tokens)
        arrived = self._arrived(sent, conditions)
        return VitOutput(self.receiver.head(self.receiver.decoder(arrived)))

    @torch.no_grad()
    def copy_codebook(self) -> None:
        """Give the receiver the codebook of the transmitter."""
        decoder = self.receiver.decoder
        if self._has_codebook and isinstance(decoder, QueryDecoder):
            decoder.codebook.copy_(self.transmitter.channel_encoder.codebook)

    def _by_indices(self, tokens: Tensor, conditions: Conditions) -> VitOutput:
        """Send indices: the gradient passes quantiser and channel as if they were not there."""
        sender, decoder = self.transmitter.channel_encoder, self.receiver.decoder
        assert isinstance(decoder, QueryDecoder)
        vectors_BNI = sender.vectors(tokens)
        indices_BN = sender.indices(vectors_BNI.detach())
        nearest_BNI = sender.codebook[indices_BN]
        arrived_BK = self._arrived(bytes_to_symbols(indices_BN), conditions)
        named_BNI = sender.codebook[symbols_to_bytes(arrived_BK)]
        straight_BNI = vectors_BNI + (named_BNI - vectors_BNI).detach()
        return VitOutput(
            self.receiver.head(decoder.read(straight_BNI)),
            commitment=F.mse_loss(vectors_BNI, nearest_BNI.detach()),
            codebook=F.mse_loss(nearest_BNI, vectors_BNI.detach()),
        )

    def _arrived(self, symbols_BK: Tensor, conditions: Conditions) -> Tensor:
        snr_db_B = conditions.snr_db_B.to(next(self.parameters()))
        return through_channel(symbols_BK, snr_db_B, conditions)
