"""The link in training: the deployed modules around a channel draw.

Shape legend: B sentences, T tokens, D width, R = 16 reals of a token, V vocabulary, N tokens of all
sentences without padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from orchestrator.training.kd_semcom.channel import TextDraw
from receiver.kd_semcom.codec import SentenceReceiver, token_reals
from semcom.families.kd_semcom import KdSemcomArchitecture
from semcom.vocabulary import PAD, START
from transmitters.kd_semcom.codec import SentenceTransmitter
from transmitters.kd_semcom.encoder import codewords

ROWS = 256  # the number of rows of logits that are computed is a multiple of it


@dataclass(frozen=True)
class TextOutput:
    """The outputs of a link for a batch, at the points at which a student may follow a teacher.

    p (B, T, D), x (B, T, R), p_hat (B, T, D), t_hat (B, T, D); s_hat (N, V), because logits of
    padding would be a third of all logits, and no loss uses them.
    """

    p: Tensor
    x: Tensor
    p_hat: Tensor
    t_hat: Tensor
    s_hat: Tensor


class TextLink(nn.Module):
    """Both halves of a codec, end to end, with teacher forcing."""

    def __init__(self, architecture: KdSemcomArchitecture, dropout: float) -> None:
        super().__init__()
        self.transmitter = SentenceTransmitter(architecture, dropout)
        self.receiver = SentenceReceiver(architecture, dropout=dropout)
        self.parts = nn.ModuleDict({**self.transmitter.modules, **self.receiver.modules})

    def forward(self, tokens_BT: Tensor, draw: TextDraw) -> TextOutput:
        """Send tokens with END, (B, T), through one draw of the channel."""
        p, x = self.transmitter.forward(tokens_BT)
        received = draw.received(codewords(x, tokens_BT))
        p_hat = self.receiver.decoder(token_reals(received))
        inputs_BT = F.pad(tokens_BT[:, :-1], (1, 0), value=START)
        there_BT = tokens_BT != PAD
        t_hat = self.receiver.semantic_decoder(inputs_BT, p_hat, there_BT)
        return TextOutput(p, x, p_hat, t_hat, self._logits(t_hat[there_BT]))

    def _logits(self, t_hat_ND: Tensor) -> Tensor:
        """Return the logits (N, V), computed for one of few numbers of rows.

        oneDNN keeps a compiled product for every shape, some megabytes each in bf16.
        """
        filler = -len(t_hat_ND) % ROWS
        logits: Tensor = self.receiver.head(F.pad(t_hat_ND, (0, 0, 0, filler)))
        return logits[: len(t_hat_ND)]
