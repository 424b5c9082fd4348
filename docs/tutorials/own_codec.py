# %% [markdown]
# # Your own codec from two modules
#
# Any two `nn.Module`s can form a codec: one that maps images to reals, and one that maps received reals to images or
# logits. You briefly train a small autoencoder, export it, and run a sweep with it through the processes.

# %%
# %matplotlib inline
from pathlib import Path

import torch
from torch import nn

import rkd_sc
from semcom.shards import Shard

STEPS = 200
torch.manual_seed(0)
torch.set_num_threads(1)  # several threads wait for each other on a busy machine

# %% [markdown]
# ## Two modules
#
# The transmitter's module takes images of 0 to 1 and returns 256 reals, which are 128 complex symbols. The receiver's
# module takes the received reals. Either may take the SNR in dB as a second argument; here the receiver does.


# %%
class Encoder(nn.Sequential):
    """Images of 0 to 1 (N, 3, 32, 32) -> 256 reals, which are 128 symbols."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 32, 5, stride=2, padding=2),
            nn.PReLU(),
            nn.Conv2d(32, 4, 5, stride=2, padding=2),
            nn.Flatten(),
        )


class Decoder(nn.Module):
    """256 reals and the SNR -> images of 0 to 1 (N, 3, 32, 32)."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Sequential(
            nn.ConvTranspose2d(5, 32, 5, stride=2, padding=2, output_padding=1),
            nn.PReLU(),
            nn.ConvTranspose2d(32, 3, 5, stride=2, padding=2, output_padding=1),
            nn.Sigmoid(),
        )

    def forward(self, reals: torch.Tensor, snr_db: torch.Tensor) -> torch.Tensor:
        maps = reals.reshape(-1, 4, 8, 8)
        snr = (snr_db / 20.0).reshape(-1, 1, 1, 1) + 0.0 * maps[:, :1]
        return self.net(torch.cat([maps, snr], dim=1))


# %% [markdown]
# ## A short training run
#
# Codewords are normalised to unit power, as in the exported codec, and white noise is added. This is an ordinary
# PyTorch training loop.

# %%
rkd_sc.prepare("shapes10")
images = torch.from_numpy(Shard(Path("data/shapes10"), "train").images_NHWC[:4000].copy())
images = images.permute(0, 3, 1, 2).float() / 255.0
encoder, decoder = Encoder(), Decoder()
optimizer = torch.optim.Adam([*encoder.parameters(), *decoder.parameters()], lr=3e-3)
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

# %% [markdown]
# ## Export
#
# The modules are traced and written with a manifest. From now on the codec has a digest, which identifies it wherever
# it is used.

# %%
codec = rkd_sc.export_codec(
    "autoencoder",
    transmitter=encoder,
    receiver=decoder,
    task=rkd_sc.Reconstruction(shape=(32, 32, 3)),
    image=(32, 32, 3),
)
codec.manifest.symbols, codec.digest[:12]

# %% [markdown]
# ## Sweep

# %%
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

# %%
run.figure("psnr")

# %% [markdown]
# ## Look at some pictures
#
# The worst two of the first 25 images, with their symbols at every SNR:

# %%
rkd_sc.item_page(run.inspect(rkd_sc.Which(count=2, among=25)))

# %% [markdown]
# ## Next
#
# * A torchvision classifier, split in two: [examples/own_modules](../../examples/own_modules/README.md).
# * A codec family with its own files and code: [examples/own_family](../../examples/own_family/README.md).
# * The modules' inputs and outputs, and what is stored: [extending](../extending.md).
