"""A small autoencoder of one's own, trained for a moment and swept: images come back.

python autoencoder.py [STEPS]
"""

import sys
from pathlib import Path

import torch
from torch import nn

import rkd_sc
from semcom.shards import Shard

STEPS = int(sys.argv[1]) if len(sys.argv) > 1 else 300


class Encoder(nn.Sequential):
    """Images of 0..1 (N, 3, 32, 32) -> 256 reals, which are 128 symbols."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 32, 5, stride=2, padding=2), nn.PReLU(),
            nn.Conv2d(32, 4, 5, stride=2, padding=2), nn.Flatten(),
        )  # fmt: skip


class Decoder(nn.Module):
    """256 reals and the SNR -> images of 0..1 (N, 3, 32, 32)."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.ConvTranspose2d(5, 32, 5, stride=2, padding=2, output_padding=1), nn.PReLU(),
            nn.ConvTranspose2d(32, 3, 5, stride=2, padding=2, output_padding=1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, reals: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        maps = reals.reshape(-1, 4, 8, 8)
        snr = (snr_db / 20.0).reshape(-1, 1, 1, 1) + 0.0 * maps[:, :1]
        return self.net(torch.cat([maps, snr], dim=1))


torch.manual_seed(0)
rkd_sc.prepare("shapes10")
images = torch.from_numpy(Shard(Path("data/shapes10"), "test").images_NHWC.copy())
images = images.permute(0, 3, 1, 2).float() / 255.0
encoder, decoder = Encoder(), Decoder()
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=2e-3)
for _ in range(STEPS):
    batch = images[torch.randint(len(images), (64,))]
    sent = encoder(batch)
    sent = sent * torch.rsqrt(2.0 * sent.square().mean(dim=1, keepdim=True))
    snr_db = 20.0 * torch.rand(len(batch))
    noise = torch.randn_like(sent) * torch.sqrt(0.5 * 10.0 ** (-snr_db / 10.0))[:, None]
    loss = (decoder(sent + noise, snr_db) - batch).square().mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()

rkd_sc.export_codec(
    "autoencoder", transmitter=encoder, receiver=decoder,
    task=rkd_sc.Reconstruction(shape=(32, 32, 3)), image=(32, 32, 3),
)  # fmt: skip
run = rkd_sc.sweep(
    {
        "name": "autoencoder",
        "links": {"pictures": {"dataset": "shapes10", "codec": "autoencoder"}},
        "snr_db": [0, 10, 20],
        "images": 100,
        "frame_images": 25,
    }
)
for result in run:
    low, high = result.intervals["psnr"]
    print(f"{result.snr_db:g} dB: PSNR {result.values['psnr']:.2f} dB ({low:.2f} to {high:.2f})")
